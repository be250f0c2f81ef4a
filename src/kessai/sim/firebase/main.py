"""Wiring of the Firebase simulator, embedded or alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from fastapi import FastAPI

from kessai.kernel.app import create_app
from kessai.kernel.db import Db
from kessai.kernel.metrics import Metrics
from kessai.kernel.migrations import migrate
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.supervisor import Supervisor
from kessai.sim.firebase.application.control import Control
from kessai.sim.firebase.application.guard import SignInGuard
from kessai.sim.firebase.application.members import Members
from kessai.sim.firebase.domain import Limits
from kessai.sim.firebase.gateway.crypto import (
    CertificateForge,
    ScryptPasswords,
    SignedTokens,
    new_rsa_key,
)
from kessai.sim.firebase.gateway.tables import SqlAccounts, SqlKeys, SqlMails
from kessai.sim.firebase.web.control import control_router
from kessai.sim.firebase.web.cors import OpenPaths
from kessai.sim.firebase.web.identity import (
    IDENTITY,
    SECURE_TOKEN,
    identity_router,
    keys_router,
    refused_router,
    secure_token_router,
)
from kessai.sim.firebase.web.pages import ACTION_PATH
from kessai.sim.firebase.web.people import people_router
from kessai.topology import FIREBASE_SIMULATOR

_REFRESH_SECRET: Final = "refresh-tokens"  # noqa: S105 - its name, not itself


async def build(
    runtime: Runtime,
    *,
    limits: Limits | None = None,
    new_key: Callable[[], RSAPrivateKey] = new_rsa_key,
) -> Unit[None]:
    """The first start makes a key and the seeded accounts; later ones find them again.

    `new_key` spares tests the making of a new RSA key each time.
    """
    limits = limits or Limits()
    db = await runtime.open_db(FIREBASE_SIMULATOR.name)
    migrate(db, FIREBASE_SIMULATOR.package)
    tokens = await _tokens(runtime, db, limits)
    members, control = _use_cases(runtime, db, tokens, limits, new_key)
    await control.open()
    supervisor = Supervisor(FIREBASE_SIMULATOR.name)

    async def start() -> None:
        supervisor.start("keys", control.keep_keys_young)

    return Unit(
        name=FIREBASE_SIMULATOR.name,
        build_app=lambda: _app(runtime, db, supervisor, members, control, tokens, limits),
        port=None,
        supervisor=supervisor,
        start=start,
        closers=[db.close],
        doors=[members, control, tokens],
    )


async def _tokens(runtime: Runtime, db: Db, limits: Limits) -> SignedTokens:
    fresh = runtime.chance.token_bytes(32)
    async with db.transaction() as tx:
        secret = await SqlKeys().keep_secret(tx, _REFRESH_SECRET, fresh)
    project = runtime.settings.firebase_project
    return SignedTokens(runtime.clock, secret, project=project, limits=limits)


def _use_cases(
    runtime: Runtime,
    db: Db,
    tokens: SignedTokens,
    limits: Limits,
    new_key: Callable[[], RSAPrivateKey],
) -> tuple[Members, Control]:
    clock, chance = runtime.clock, runtime.chance
    accounts, mails, passwords = SqlAccounts(), SqlMails(), ScryptPasswords(chance)
    guard = SignInGuard(clock, limits)
    members = Members(
        db,
        accounts,
        mails,
        passwords,
        tokens,
        guard,
        clock=clock,
        chance=chance,
        limits=limits,
        action_url=f"{runtime.settings.firebase_api_url}{ACTION_PATH}",
    )
    control = Control(
        db,
        accounts,
        mails,
        SqlKeys(),
        CertificateForge(chance, limits, new_key),
        tokens,
        passwords,
        members,
        guard,
        clock=clock,
        limits=limits,
    )
    return members, control


def _app(
    runtime: Runtime,
    db: Db,
    supervisor: Supervisor,
    members: Members,
    control: Control,
    tokens: SignedTokens,
    limits: Limits,
) -> FastAPI:
    async def check_database() -> Mapping[str, str]:
        await db.ping()
        return {}

    project = runtime.settings.firebase_project
    app = create_app(
        title=FIREBASE_SIMULATOR.name,
        runtime=runtime,
        routers=[
            identity_router(members, limits),
            secure_token_router(members, limits, project),
            refused_router(),
            keys_router(tokens, limits),
            control_router(control),
            people_router(members, project),
        ],
        health={"db": check_database},
        metrics=Metrics(FIREBASE_SIMULATOR.name),
        supervisor=supervisor,
    )
    app.add_middleware(OpenPaths, prefixes=(f"{IDENTITY}/", f"{SECURE_TOKEN}/"))
    return app
