"""What every route of the door needs: the shop's services, the session guard, answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Response
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from kessai.bff.application import Images, Sessions
from kessai.bff.domain import (
    Caller,
    Network,
    Session,
    client_address,
    may_change,
    origin_of,
)
from kessai.contracts.account import AccountService
from kessai.contracts.alert import AlertService
from kessai.contracts.order import OrderService
from kessai.contracts.payment import PaymentService
from kessai.contracts.storage import StorageService
from kessai.kernel.clock import Clock
from kessai.kernel.errors import Kind, Refused
from kessai.kernel.limits import RateLimit
from kessai.kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    purchases: RateLimit
    checks: RateLimit
    sign_ins: RateLimit


@dataclass(frozen=True, slots=True)
class Door:
    """The services behind the door and the guards in front of it."""

    settings: Settings
    clock: Clock
    sessions: Sessions
    orders: OrderService
    accounts: AccountService
    catalogue: StorageService
    payments: PaymentService
    alerts: AlertService
    images: Images
    limits: Limits
    trusted_proxies: Sequence[Network]
    webhook_sources: Sequence[Network]

    @property
    def public_origin(self) -> str:
        return origin_of(self.settings.public_url)

    @property
    def is_https(self) -> bool:
        return self.settings.public_url.startswith("https://")

    @property
    def cookie_name(self) -> str:
        # The __Host- prefix needs Secure, which plain loopback cannot give.
        return "__Host-sid" if self.is_https else "sid"

    def sid(self, connection: HTTPConnection) -> str | None:
        return connection.cookies.get(self.cookie_name)

    async def session(self, connection: HTTPConnection) -> Session:
        """The caller's session. Refuses a change from elsewhere; Unknown without a store."""
        self.check_origin(connection)
        return await self.sessions.find(self.sid(connection))

    def check_origin(self, connection: HTTPConnection) -> None:
        if not self._same_origin(connection):
            raise Refused("FORBIDDEN_ORIGIN", "not from this page", kind=Kind.FORBIDDEN)

    def _same_origin(self, connection: HTTPConnection) -> bool:
        headers = connection.headers
        caller = Caller(
            method=connection.scope.get("method", "GET"),
            origin=headers.get("origin"),
            fetch_site=headers.get("sec-fetch-site"),
            content_type=headers.get("content-type"),
        )
        return may_change(caller, self.public_origin)

    def client_address(self, connection: HTTPConnection) -> str:
        peer = connection.client.host if connection.client else ""
        forwarded = ",".join(connection.headers.getlist("x-forwarded-for"))
        return client_address(peer, forwarded, self.trusted_proxies)


def reply(model: BaseModel, status: int = 200) -> Response:
    """The model as JSON, written in one step (a response model would walk it twice)."""
    body = model.model_dump_json(by_alias=True)
    return Response(body, status_code=status, media_type="application/json")
