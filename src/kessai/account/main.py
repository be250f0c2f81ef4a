"""Wiring of account-service."""

from __future__ import annotations

from fastapi import FastAPI

from kessai.account.application import Accounts
from kessai.account.domain import DEMO_ROLES, FirstSignIn
from kessai.account.gateway import SqlUsers, SqlWallets
from kessai.account.web import routes
from kessai.contracts.account import AccountService
from kessai.kernel.app import create_app
from kessai.kernel.migrations import migrate
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.settings import Settings
from kessai.kernel.supervisor import Supervisor
from kessai.topology import ACCOUNT

DEMO_BALANCE_YEN = 100_000


async def build(runtime: Runtime) -> Unit[AccountService]:
    db = await runtime.open_db("account")
    migrate(db, "account")
    accounts = Accounts(
        db, runtime.clock, runtime.ids, SqlUsers(), SqlWallets(), first_sign_in(runtime.settings)
    )
    supervisor = Supervisor(ACCOUNT.name, stop_timeout_s=runtime.settings.stop_timeout_s)

    def build_app() -> FastAPI:
        return create_app(
            title=ACCOUNT.name,
            runtime=runtime,
            routers=[routes(accounts, token=runtime.settings.service_token.get_secret_value())],
            health={"db": db.ping},
            supervisor=supervisor,
        )

    async def start() -> None:
        """Nothing runs by itself: every change here is somebody's command."""

    return Unit(
        name=ACCOUNT.name,
        build_app=build_app,
        port=accounts,
        supervisor=supervisor,
        start=start,
        closers=[db.close],
    )


def first_sign_in(settings: Settings) -> FirstSignIn:
    """Gifts and roles by e-mail exist on a local machine only."""
    if settings.env != "local":
        return FirstSignIn()
    return FirstSignIn(opening_yen=DEMO_BALANCE_YEN, roles=DEMO_ROLES)
