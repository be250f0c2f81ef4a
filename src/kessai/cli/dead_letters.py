"""`kessai dead-letters`: the records that a consumer could not handle, and the way back."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def dead_letters() -> None:
    """Records that a consumer gave up on: look at them, and give them back when it is mended."""


@app.command("list")
def list_letters(
    topic: Annotated[str | None, typer.Option(help="those of one topic only")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="the newest so many")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="whole, for machines")] = False,
) -> None:
    """What lies there and was not given back.

    Exit codes: 0 nothing, 1 something, 2 no such topic, 3 the bus is not reachable.
    """
    from kessai.cli.dead_letters_desk import print_letters

    raise typer.Exit(print_letters(topic, limit=limit, as_json=as_json))


@app.command()
def redrive(
    topic: Annotated[str, typer.Argument(help="where they failed, as `ec-demo.orders.events.v1`")],
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="at most so many")] = 1_000,
) -> None:
    """Give records back to their topic, oldest first: all of these go, or none.

    Consumers that handled one before know it by its id. Exit codes: 0 done, 2 no such topic, 3 the
    bus is not reachable.
    """
    from kessai.cli.dead_letters_desk import give_back

    give_back(topic, limit=limit)
