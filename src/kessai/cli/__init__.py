"""The commands. Each loads only what it needs, so that `--help` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    name="kessai",
    help="Kessai (決済): an e-commerce payment system that integrates PayPay and always converges.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


Parent = Annotated[int | None, typer.Option("--parent", hidden=True, help="ends with this pid")]


@app.command()
def up(
    simulators: Annotated[
        bool, typer.Option(help="also run the PayPay and Firebase simulators")
    ] = True,
    profile: Annotated[
        Literal["embedded", "stack"],
        typer.Option(help="stack: a process per service, on the servers of `kessai stack up`"),
    ] = "embedded",
    instances: Annotated[
        str | None,
        typer.Option(help="a process per service, and several of some: 2, or order-service=2,..."),
    ] = None,
) -> None:
    """Run the whole shop and print the addresses: in one process, or each service in its own.

    Exit codes: 0 stopped as asked, 1 a service did not come up or had to be killed, 2 bad settings.
    """
    if profile == "stack" or instances is not None:
        from kessai.cli.apart import run_apart

        run_apart(stack=profile == "stack", instances=instances, simulators=simulators)
    else:
        from kessai.cli.up import run_everything

        run_everything(simulators=simulators)


@app.command()
def serve(
    name: Annotated[str, typer.Argument(help="a service, as `order-service`")],
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="of a second instance on one machine")
    ] = None,
    parent: Parent = None,
) -> None:
    """Run one service in this process; the others are called over KESSAI_SERVICE_URLS."""
    from kessai.cli.up import run_service

    run_service(name, port=port, parent=parent)


@app.command()
def sim(
    name: Annotated[str, typer.Argument(help="paypay or firebase")],
    tls_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="paypay: answer https on this port too")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="with this certificate (PEM); else one is made and kept")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="and its key (PEM)")] = None,
    parent: Parent = None,
) -> None:
    """Run a simulator alone: useful to anyone who integrates PayPay or Firebase."""
    from kessai.cli.up import run_simulator

    run_simulator(name, tls_port=tls_port, tls_cert=tls_cert, tls_key=tls_key, parent=parent)


@app.command()
def demo() -> None:
    """The show in three steps: buy, lose and double the webhook, look at what was kept."""
    from kessai.cli.demo import show

    raise typer.Exit(show())


@app.command()
def config() -> None:
    """All settings with value, source and meaning; secrets are masked."""
    from kessai.cli.config import print_settings

    print_settings()


def _add_groups() -> None:
    from kessai.cli.account import app as account
    from kessai.cli.alerts import app as alerts
    from kessai.cli.catalog import app as catalog
    from kessai.cli.chaos import chaos
    from kessai.cli.dead_letters import app as dead_letters
    from kessai.cli.order import app as order
    from kessai.cli.reconcile import app as reconcile
    from kessai.cli.saga import app as saga
    from kessai.cli.search import app as search
    from kessai.cli.shopper import shopper
    from kessai.cli.simulate import simulate
    from kessai.cli.slo import slo
    from kessai.cli.stack import app as stack
    from kessai.cli.verify import verify

    app.add_typer(account, name="account", help="Accounts and roles.")
    app.add_typer(alerts, name="alerts", help="Alerts: what disagrees, and what is done.")
    app.add_typer(catalog, name="catalog", help="The catalogue.")
    app.add_typer(dead_letters, name="dead-letters", help="What no consumer could handle.")
    app.add_typer(order, name="order", help="One order: give money back.")
    app.add_typer(reconcile, name="reconcile", help="The provider's file of a day, and reports.")
    app.add_typer(saga, name="saga", help="Sagas: definitions and instances.")
    app.add_typer(search, name="search", help="The search: how good it is.")
    app.add_typer(stack, name="stack", help="The real servers on this machine.")
    app.command()(simulate)
    app.command()(slo)
    app.command()(shopper)
    app.command()(chaos)
    app.command()(verify)


_add_groups()
