"""Firebase's shapes on the wire: requests, answers, and the error that its SDK understands."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kessai.kernel.errors import JsonValue, Kind, Refused, Unknown
from kessai.kernel.telemetry import get_log
from kessai.sim.firebase.application.members import TokenPair
from kessai.sim.firebase.domain import PROVIDER, Account, no

# What Firebase shows instead of a hash: the word REDACTED in Base64.
_REDACTED: Final = "UkVEQUNURUQ="
_STATUS_WORDS: Final = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 503: "UNAVAILABLE"}
_log: Final = get_log("kessai.sim.firebase")


class SdkRequest(BaseModel):
    """The union of what the SDK sends to the account calls; what we do not know is skipped."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True, strict=True
    )

    email: str | None = None
    password: str | None = None
    display_name: str | None = None
    photo_url: str | None = None
    id_token: str | None = None
    oob_code: str | None = None
    new_password: str | None = None
    request_type: str | None = None
    return_secure_token: bool = False
    delete_attribute: tuple[str, ...] = Field(default=(), max_length=20)


M = TypeVar("M", bound=BaseModel)


async def read(request: Request, model: type[M]) -> M:
    """The body, whatever its Content-Type says, as Google's servers read it."""
    body = await request.body()
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"]) or "body"
        raise no("INVALID_ARGUMENT", f"Invalid JSON payload received: {field}") from error


class FirebaseRoute(APIRoute):
    """A route whose refusals have Firebase's shape instead of problem+json."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answer_in_shape(request: Request) -> Response:
            try:
                return await answer(request)
            except Refused as refused:
                return _refusal(refused)
            except Unknown as unknown:
                _log.warning("http.unknown", code=unknown.code, message=unknown.message)
                return error(503, "UNAVAILABLE")

        return answer_in_shape


def _refusal(refused: Refused) -> Response:
    words = f"{refused.code} : {refused.message}" if refused.message else refused.code
    return error(403 if refused.kind is Kind.FORBIDDEN else 400, words)


def error(status: int, message: str) -> Response:
    content = {
        "error": {
            "code": status,
            "message": message,
            "errors": [{"message": message, "domain": "global", "reason": "invalid"}],
            "status": _STATUS_WORDS[status],
        }
    }
    return JSONResponse(content, status_code=status)


async def api_key(request: Request) -> str:
    """Any key will do, as offline configurations invent one; none is refused as by Google."""
    key = request.query_params.get("key", "")
    if not key:
        raise Refused(
            "PERMISSION_DENIED", "The request is missing a valid API key.", kind=Kind.FORBIDDEN
        )
    return key


def tokens(pair: TokenPair, lifetime_s: int) -> Mapping[str, JsonValue]:
    """As in the answers of Identity Toolkit: camel case, the seconds as text."""
    return {
        "idToken": pair.id_token,
        "refreshToken": pair.refresh_token,
        "expiresIn": str(lifetime_s),
    }


def profile(account: Account) -> dict[str, JsonValue]:
    provider = {
        "providerId": PROVIDER,
        "federatedId": account.email,
        "email": account.email,
        "rawId": account.email,
        **_names(account),
    }
    return {
        "localId": account.local_id,
        "email": account.email,
        "emailVerified": account.email_verified,
        "passwordHash": _REDACTED,
        "providerUserInfo": [provider],
        **_names(account),
    }


def _names(account: Account) -> dict[str, JsonValue]:
    """Left out where there are none, as the real service does."""
    names = {"displayName": account.display_name, "photoUrl": account.photo_url}
    return {name: value for name, value in names.items() if value}
