"""`kessai order`: what an operator does about one order from this machine."""

from __future__ import annotations

import asyncio
import getpass
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True)


@app.callback()
def order() -> None:
    """Orders, one at a time."""


@app.command()
def refund(
    order_id: Annotated[str, typer.Argument(metavar="ORDER_ID", help="26 characters")],
    reason: Annotated[str, typer.Option(help="why; it stays in the audit trail")],
    request: Annotated[
        str, typer.Option(help="a name for this refund: the same name is never paid twice")
    ],
    amount: Annotated[int | None, typer.Option(help="yen; all that is left without it")] = None,
    actor: Annotated[str | None, typer.Option(help="who asks; your login without it")] = None,
) -> None:
    """Give a payment back, in part or whole. A whole refund puts the goods back into stock.

    Exit codes: 0 asked, 2 refused, 3 not reachable.
    """
    from kessai.cli.errors import fail
    from kessai.cli.reach import UNAVAILABLE
    from kessai.kernel.errors import Refused, Unknown
    from kessai.kernel.migrations import SchemaTooNew

    try:
        line = asyncio.run(_refund(order_id, reason, request, amount, actor or _login()))
    except ValueError as error:
        fail(f"{order_id}: {_first_line(error)}")
    except Refused as refused:
        facts = ", ".join(f"{name} {value}" for name, value in (refused.facts or {}).items())
        told = refused.message or refused.code
        fail(f"{order_id}: {told}{f' ({facts})' if facts else ''}")
    except (Unknown, SchemaTooNew) as error:
        fail(str(error), UNAVAILABLE)
    Console(highlight=False, markup=False, soft_wrap=True).print(line)


async def _refund(order_id: str, reason: str, request: str, amount: int | None, actor: str) -> str:
    from kessai.cli.errors import load_settings
    from kessai.cli.reach import running
    from kessai.contracts.order import OrderService, RefundByOperator
    from kessai.topology import ORDER

    command = RefundByOperator(
        order_id=order_id, request_id=request, amount=amount, actor=actor, reason=reason
    )
    async with running(load_settings(), ORDER, OrderService) as (orders, where):
        order = await orders.refund_by_operator(command)
    asked = order.refund.amount if order.refund else 0
    return f"{order.order_number}: ¥{asked:,} goes back, the order is {order.status} ({where})"


def _login() -> str:
    """Raises `ValueError` where this machine has no name for who runs it, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise ValueError("say who asks with --actor") from error


def _first_line(error: ValueError) -> str:
    return str(error).partition("\n")[0]
