"""Sign-in, sign-out, who am I, personal information, the page's configuration."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Depends, Request, Response

from kessai.bff.domain import Session
from kessai.bff.web.door import Door, reply
from kessai.bff.web.models import (
    AccountAnswer,
    ConfigAnswer,
    Done,
    FirebaseConfig,
    ProfileBody,
    SessionAnswer,
    SimulatorLinks,
    StatusAnswer,
    TokenBody,
)
from kessai.contracts.account import Profile, SetProfile, UserById
from kessai.kernel.errors import Kind, Refused

_SHOP_NAME = "Kessai 商店"
_BEARER = "bearer "


def session_routes(door: Door) -> APIRouter:
    router = APIRouter(tags=["session"])

    @router.post("/api/auth/session", status_code=201, response_model=SessionAnswer)
    @router.post("/auth/session", status_code=201, include_in_schema=False)
    async def sign_in(request: Request, body: TokenBody | None = None) -> Response:
        door.check_origin(request)
        await door.limits.sign_ins.take(door.client_address(request))
        token = _token(request, body)
        signed_in = await door.sessions.sign_in(token, door.sid(request))
        user = signed_in.user
        answer = reply(
            SessionAnswer(
                success=True,
                user_id=user.user_id,
                email=user.email,
                name=user.name,
                message="signed in",
            ),
            201,
        )
        answer.set_cookie(
            door.cookie_name,
            signed_in.sid,
            max_age=door.settings.session_absolute_s,
            path="/",
            secure=door.is_https,
            httponly=True,
            samesite="lax",
        )
        return answer

    @router.get("/api/auth/status", response_model=StatusAnswer)
    @router.get("/auth/status", include_in_schema=False)
    async def status(request: Request) -> Response:
        try:
            session = await door.session(request)
        except Refused:
            return reply(StatusAnswer(success=False))
        account = await door.accounts.get_account(UserById(user_id=session.user_id))
        return reply(
            StatusAnswer(
                success=True,
                user_id=account.user_id,
                email=account.email,
                name=account.name,
                role=account.role,
            )
        )

    @router.post("/api/auth/logout", response_model=Done)
    @router.post("/auth/logout", include_in_schema=False)
    async def sign_out(request: Request) -> Response:
        door.check_origin(request)
        await door.sessions.sign_out(door.sid(request))
        answer = reply(Done(success=True, message="signed out"))
        answer.delete_cookie(door.cookie_name, path="/", secure=door.is_https, httponly=True)
        return answer

    return router


def account_routes(door: Door) -> APIRouter:
    router = APIRouter(tags=["account"])

    @router.post("/api/auth/personal-information", response_model=Done)
    async def personal_information(
        body: ProfileBody, session: Session = Depends(door.session)
    ) -> Response:
        profile = Profile.model_validate(body.model_dump())
        await door.accounts.set_profile(SetProfile(user_id=session.user_id, profile=profile))
        return reply(Done(success=True, message="saved"))

    @router.get("/api/account", response_model=AccountAnswer)
    async def account(session: Session = Depends(door.session)) -> Response:
        found = await door.accounts.get_account(UserById(user_id=session.user_id))
        return reply(AccountAnswer.model_validate(found.model_dump()))

    @router.get("/api/config", response_model=ConfigAnswer)
    async def config() -> Response:
        return reply(_config(door))

    return router


def _token(request: Request, body: TokenBody | None) -> str:
    header = request.headers.get("authorization", "")
    # The scheme's name is written in any case (RFC 9110, 11.1).
    token = header[len(_BEARER) :] if header.lower().startswith(_BEARER) else ""
    token = token.strip() or (body.idToken if body and body.idToken else "")
    if not token:
        raise Refused("TOKEN_MISSING", "no ID token was sent", kind=Kind.BAD_REQUEST)
    return token


def _config(door: Door) -> ConfigAnswer:
    settings = door.settings
    local = settings.env == "local"
    return ConfigAnswer(
        shop_name=_SHOP_NAME,
        languages=("ja", "en", "zh"),
        firebase=FirebaseConfig(
            api_key=settings.firebase_api_key,
            auth_domain=settings.firebase_auth_domain,
            project_id=settings.firebase_project,
            app_id=settings.firebase_app_id,
            api_base_url=settings.firebase_api_url,
        ),
        poll_interval_ms=int(settings.poll_first_s * 1000),
        env=settings.env,
        version=version("kessai"),
        simulators=SimulatorLinks(
            paypay=settings.sim_public_url, firebase=settings.firebase_api_url
        )
        if local
        else None,
    )
