"""`kessai account`: what only somebody on this machine may change about a user."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import typer

# As the contract has them, whose import would be half of what `kessai --help` takes.
LONGEST_NAME = 254
RoleName = Literal["customer", "viewer", "operator"]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def account() -> None:
    """Accounts and roles."""


@app.command()
def role(
    user: Annotated[str, typer.Argument(metavar="UID", help="Firebase uid or e-mail address")],
    role: Annotated[RoleName, typer.Argument(help="the new role")],
) -> None:
    """Give a user a role: `kessai account role UID operator` makes the first operator.

    The user must have signed in once. Exit codes: 0 done, 2 refused, 3 not reachable.
    """
    from rich.console import Console

    from kessai.cli.errors import fail
    from kessai.cli.reach import UNAVAILABLE
    from kessai.kernel.errors import Refused, Unknown
    from kessai.kernel.migrations import SchemaTooNew

    if not 0 < len(user) <= LONGEST_NAME:
        fail(f"UID: a Firebase uid or an e-mail address of 1 to {LONGEST_NAME} characters")
    try:
        line = asyncio.run(_set_role(user, role))
    except Refused as refused:
        fail(f"{user}: {refused.message or refused.code}")
    except (Unknown, SchemaTooNew) as error:
        fail(str(error), UNAVAILABLE)
    Console(highlight=False, markup=False, soft_wrap=True).print(line)


async def _set_role(name: str, role: RoleName) -> str:
    from kessai.account.main import build
    from kessai.cli.errors import load_settings
    from kessai.cli.reach import reach
    from kessai.contracts.account import AccountService, Role, SetRole
    from kessai.topology import ACCOUNT

    async with reach(load_settings(), ACCOUNT, AccountService, build) as (accounts, where):
        user = await accounts.set_role(SetRole(user=name, role=Role(role)))
    return f"{user.firebase_uid} ({user.email or 'no e-mail'}) is {user.role} now, by {where}"
