"""The routes of the pages: home, and where the links of the mails lead."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from kessai.kernel.errors import Refused
from kessai.sim.firebase.application.members import Members
from kessai.sim.firebase.domain import Mail, MailKind
from kessai.sim.firebase.web.control import OwnPagesOnly
from kessai.sim.firebase.web.pages import (
    ACTION_PATH,
    home_page,
    note_page,
    reset_page,
    verify_page,
)

_PASSWORD_PROBLEMS: Final = {
    "MISSING_PASSWORD": "Please enter a password.",
    "WEAK_PASSWORD": "Please enter at least 6 characters.",
    "PASSWORD_DOES_NOT_MEET_REQUIREMENTS": "Please enter at most 4096 characters.",
}


def people_router(members: Members, project: str) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def home() -> Response:
        return HTMLResponse(home_page(project))

    @router.get(ACTION_PATH)
    async def show_action(request: Request) -> Response:
        try:
            mail = await members.read_code(request.query_params.get("oobCode"))
        except Refused as refused:
            return _not_done(refused)
        is_reset = mail.kind is MailKind.PASSWORD_RESET
        return HTMLResponse(reset_page(mail) if is_reset else verify_page(mail))

    @router.post(ACTION_PATH)
    async def act(request: Request, _: OwnPagesOnly) -> Response:
        body = (await request.body()).decode("utf-8", "replace")
        form = parse_qs(body, keep_blank_values=True, max_num_fields=20)
        code = form.get("oobCode", [""])[0]
        try:
            mail = await members.read_code(code)
            if mail.kind is MailKind.VERIFY_EMAIL:
                await members.verify_email(code)
                return HTMLResponse(note_page("Verified", mail.email))
        except Refused as refused:
            return _not_done(refused)
        return await _reset(mail, form.get("newPassword", [""])[0])

    async def _reset(mail: Mail, password: str) -> Response:
        try:
            await members.reset_password(mail.code, password)
        except Refused as refused:
            problem = _PASSWORD_PROBLEMS.get(refused.code)
            if problem is None:
                return _not_done(refused)
            return HTMLResponse(reset_page(mail, problem), status_code=400)
        return HTMLResponse(note_page("Saved", "Sign in with the new password now."))

    return router


def _not_done(refused: Refused) -> Response:
    words = {
        "EXPIRED_OOB_CODE": "This link is too old. Please ask for a new one.",
        "USER_DISABLED": "This account is disabled.",
    }.get(refused.code, "This link has been used already, or was never sent.")
    return HTMLResponse(note_page("Nothing was changed", words), status_code=400)
