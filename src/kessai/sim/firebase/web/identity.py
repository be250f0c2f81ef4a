"""Identity Toolkit, Secure Token and the two key sets, at the paths that libraries call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Protocol
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kessai.kernel.clock import wire
from kessai.kernel.errors import JsonValue
from kessai.sim.firebase.application.members import Members
from kessai.sim.firebase.domain import Account, Changes, Limits, MailKind, no
from kessai.sim.firebase.web.wire import FirebaseRoute, SdkRequest, api_key, profile, read, tokens

IDENTITY: Final = "/identitytoolkit.googleapis.com"
SECURE_TOKEN: Final = "/securetoken.googleapis.com"  # noqa: S105 - a path
_SIGNER: Final = "securetoken@system.gserviceaccount.com"
_ATTRIBUTES: Final = {"DISPLAY_NAME": "display_name", "PHOTO_URL": "photo_url"}
_KIND: Final = "identitytoolkit#"

ApiKey = Annotated[str, Depends(api_key)]


class PublishedKeys(Protocol):
    def certificates(self) -> Mapping[str, str]: ...

    def jwks(self) -> list[JsonValue]: ...


def identity_router(members: Members, limits: Limits) -> APIRouter:
    router = APIRouter(prefix=f"{IDENTITY}/v1", route_class=FirebaseRoute)

    @router.post("/accounts:signUp")
    async def sign_up(request: Request, _key: ApiKey) -> Response:
        wish = await read(request, SdkRequest)
        if wish.id_token:
            raise no("OPERATION_NOT_ALLOWED")
        done = await members.sign_up(wish.email, wish.password, wish.display_name)
        return JSONResponse(
            {
                "kind": f"{_KIND}SignupNewUserResponse",
                "localId": done.account.local_id,
                "email": done.account.email,
                **tokens(done.tokens, limits.id_token_s),
            }
        )

    @router.post("/accounts:signInWithPassword")
    async def sign_in(request: Request, _key: ApiKey) -> Response:
        wish = await read(request, SdkRequest)
        done = await members.sign_in(wish.email, wish.password)
        return JSONResponse(
            {
                "kind": f"{_KIND}VerifyPasswordResponse",
                "localId": done.account.local_id,
                "email": done.account.email,
                "displayName": done.account.display_name or "",
                "registered": True,
                **tokens(done.tokens, limits.id_token_s),
            }
        )

    @router.post("/accounts:lookup")
    async def look_up(request: Request, _key: ApiKey) -> Response:
        account = await members.look_up((await read(request, SdkRequest)).id_token)
        return JSONResponse({"kind": f"{_KIND}GetAccountInfoResponse", "users": [_user(account)]})

    @router.post("/accounts:update")
    async def update(request: Request, _key: ApiKey) -> Response:
        return JSONResponse(await _update(members, await read(request, SdkRequest), limits))

    @router.post("/accounts:delete")
    async def delete(request: Request, _key: ApiKey) -> Response:
        await members.delete((await read(request, SdkRequest)).id_token)
        return JSONResponse({"kind": f"{_KIND}DeleteAccountResponse"})

    @router.post("/accounts:sendOobCode")
    async def send_code(request: Request, key: ApiKey) -> Response:
        wish = await read(request, SdkRequest)
        if wish.request_type == MailKind.PASSWORD_RESET:
            email = await members.mail_reset_code(wish.email, key)
        elif wish.request_type == MailKind.VERIFY_EMAIL:
            email = await members.mail_verification_code(wish.id_token, key)
        else:
            raise no("OPERATION_NOT_ALLOWED" if wish.request_type else "MISSING_REQ_TYPE")
        return JSONResponse({"kind": f"{_KIND}GetOobConfirmationCodeResponse", "email": email})

    @router.post("/accounts:resetPassword")
    async def reset_password(request: Request, _key: ApiKey) -> Response:
        wish = await read(request, SdkRequest)
        if wish.new_password is None:
            # Without a password it asks what the code is for.
            mail = await members.read_code(wish.oob_code)
        else:
            mail = await members.reset_password(wish.oob_code, wish.new_password)
        return JSONResponse(
            {
                "kind": f"{_KIND}ResetPasswordResponse",
                "email": mail.email,
                "requestType": mail.kind.value,
            }
        )

    return router


async def _update(members: Members, wish: SdkRequest, limits: Limits) -> dict[str, JsonValue]:
    kind: dict[str, JsonValue] = {"kind": f"{_KIND}SetAccountInfoResponse"}
    if wish.oob_code:
        return {**kind, **profile(await members.verify_email(wish.oob_code))}
    if wish.email is not None or wish.password is not None:
        done = await members.change_credential(wish.id_token, _changes(wish), wish.password)
        return {**kind, **profile(done.account), **tokens(done.tokens, limits.id_token_s)}
    done = await members.change_profile(wish.id_token, _changes(wish))
    new_tokens = tokens(done.tokens, limits.id_token_s) if wish.return_secure_token else {}
    return {**kind, **profile(done.account), **new_tokens}


def _changes(wish: SdkRequest) -> Changes:
    removed = {_ATTRIBUTES[name]: "" for name in wish.delete_attribute if name in _ATTRIBUTES}
    given = {"display_name": wish.display_name, "photo_url": wish.photo_url, **removed}
    return Changes(email=wish.email, **given)


def _user(account: Account) -> dict[str, JsonValue]:
    claims = account.custom_claims
    custom = {"customAttributes": json.dumps(claims)} if claims else {}
    return {
        **profile(account),
        "passwordUpdatedAt": account.password_updated_at_ms,
        "validSince": str(account.valid_since_s),
        "disabled": account.disabled,
        "lastLoginAt": str(account.last_login_at_ms),
        "createdAt": str(account.created_at_ms),
        "lastRefreshAt": wire(account.last_login_at_ms),
        **custom,
    }


def secure_token_router(members: Members, limits: Limits, project: str) -> APIRouter:
    router = APIRouter(prefix=f"{SECURE_TOKEN}/v1", route_class=FirebaseRoute)

    @router.post("/token")
    async def token(request: Request, _key: ApiKey) -> Response:
        form = await _form(request)
        if form.get("grant_type") != "refresh_token":
            raise no("INVALID_GRANT_TYPE" if form.get("grant_type") else "MISSING_GRANT_TYPE")
        done = await members.refresh(form.get("refresh_token"))
        return JSONResponse(
            {
                "access_token": done.tokens.id_token,
                "expires_in": str(limits.id_token_s),
                "token_type": "Bearer",
                "refresh_token": done.tokens.refresh_token,
                "id_token": done.tokens.id_token,
                "user_id": done.account.local_id,
                "project_id": project,
            }
        )

    return router


async def _form(request: Request) -> dict[str, str]:
    """The SDK sends a form; other clients of the same service send JSON."""
    body = await request.body()
    if "json" in request.headers.get("content-type", ""):
        try:
            content: Any = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise no("INVALID_ARGUMENT", "Invalid JSON payload received") from error
        sent = content if isinstance(content, dict) else {}
        return {name: value for name, value in sent.items() if isinstance(value, str)}
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20)
    return {name: values[0] for name, values in fields.items()}


def refused_router() -> APIRouter:
    """Whatever else the SDK knows is refused in words that it understands."""
    router = APIRouter(route_class=FirebaseRoute)

    @router.api_route(f"{IDENTITY}/{{path:path}}", methods=["GET", "POST"])
    async def other_call(path: str) -> Response:
        raise no("OPERATION_NOT_ALLOWED", f"the simulator does not offer {path[:60]}")

    return router


def keys_router(keys: PublishedKeys, limits: Limits) -> APIRouter:
    router = APIRouter()
    headers = {
        "Cache-Control": f"public, max-age={limits.key_max_age_s}, must-revalidate, no-transform"
    }

    @router.get(f"/robot/v1/metadata/x509/{_SIGNER}")
    async def certificates() -> Response:
        return JSONResponse(dict(keys.certificates()), headers=headers)

    @router.get(f"/service_accounts/v1/jwk/{_SIGNER}")
    async def jwk_set() -> Response:
        return JSONResponse({"keys": keys.jwks()}, headers=headers)

    return router
