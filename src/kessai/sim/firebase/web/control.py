"""Control of the simulator under /sim: accounts, mails, key rotation, starting over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from kessai.kernel.clock import wire
from kessai.kernel.errors import Kind, Refused
from kessai.sim.firebase.application.control import Control, Switches
from kessai.sim.firebase.domain import Account, Mail
from kessai.sim.firebase.web.pages import mails_page


class _Wire(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class SwitchesBody(_Wire):
    disabled: bool | None = None
    email_verified: bool | None = None
    custom_claims: dict[str, JsonValue] | None = None


class AccountView(_Wire):
    local_id: str
    email: str
    email_verified: bool
    display_name: str | None
    disabled: bool
    custom_claims: dict[str, object]
    created_at: str
    last_login_at: str


class MailView(_Wire):
    to: str
    kind: str
    oob_code: str
    link: str
    sent_at: str
    used: bool


class AccountList(_Wire):
    accounts: list[AccountView]


class KeyIds(_Wire):
    kids: list[str]


async def own_pages_only(request: Request) -> None:
    """A page of somewhere else, open in the same browser, must not work these switches."""
    origin = request.headers.get("origin")
    if origin is not None and origin != f"{request.url.scheme}://{request.url.netloc}":
        raise Refused("FORBIDDEN_ORIGIN", "not from this page", kind=Kind.FORBIDDEN)


OwnPagesOnly = Annotated[None, Depends(own_pages_only)]


def control_router(control: Control) -> APIRouter:
    router = APIRouter(prefix="/sim")

    @router.get("/accounts")
    async def accounts() -> AccountList:
        return _list_of(await control.list_accounts())

    @router.post("/accounts/{local_id}")
    async def switch(local_id: str, body: SwitchesBody, _: OwnPagesOnly) -> AccountView:
        switches = Switches(body.disabled, body.email_verified, body.custom_claims)
        return _view(await control.switch_account(local_id, switches))

    @router.get("/mails", response_model=list[MailView])
    async def mails(request: Request) -> Response | list[MailView]:
        """Newest first; a browser gets a page whose links can be followed."""
        found = await control.list_mails()
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(mails_page(found))
        return [_mail(mail) for mail in found]

    @router.post("/keys/rotate")
    async def rotate(_: OwnPagesOnly) -> KeyIds:
        """The ids of all published keys; the first one signs from now on."""
        return KeyIds(kids=list(await control.rotate_keys()))

    @router.post("/reset")
    async def reset(_: OwnPagesOnly) -> AccountList:
        return _list_of(await control.reset())

    return router


def _list_of(accounts: Sequence[Account]) -> AccountList:
    return AccountList(accounts=[_view(account) for account in accounts])


def _view(account: Account) -> AccountView:
    return AccountView(
        local_id=account.local_id,
        email=account.email,
        email_verified=account.email_verified,
        display_name=account.display_name,
        disabled=account.disabled,
        custom_claims=dict(account.custom_claims),
        created_at=wire(account.created_at_ms),
        last_login_at=wire(account.last_login_at_ms),
    )


def _mail(mail: Mail) -> MailView:
    return MailView(
        to=mail.email,
        kind=mail.kind.value,
        oob_code=mail.code,
        link=mail.link,
        sent_at=wire(mail.sent_at_ms),
        used=mail.is_used,
    )
