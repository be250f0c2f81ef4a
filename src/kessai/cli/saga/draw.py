"""`graph`: a definition as a picture, coloured by one instance where one is named."""

from __future__ import annotations

import sys
from pathlib import Path

from kessai.cli.saga.given import machine_of
from kessai.cli.saga.paper import listed, say, stop
from kessai.cli.saga.source import attempt, served, stored
from kessai.saga.graph import to_mermaid, to_svg
from kessai.saga.language import Machine
from kessai.saga.web import present
from kessai.saga.web.models import SagaView

FORMATS = {"mermaid": to_mermaid, "svg": to_svg}


def draw(
    file: Path, instance_id: str | None, format: str | None, output: Path | None, store: str | None
) -> None:
    if format is None:
        format = "svg" if output is not None and output.suffix.lower() == ".svg" else "mermaid"
    if format not in FORMATS:
        stop(f"--format {format!r} is none of {listed(tuple(FORMATS))}")
    machine = machine_of(file)
    outcome = None
    if instance_id is not None:
        saga = attempt(_saga(instance_id, store, machine))
        if saga.machine != machine.name:
            stop(f"instance {instance_id} is one of {saga.machine!r}, not of {machine.name!r}")
        outcome = present.outcome(saga.states)
    text = FORMATS[format](machine, outcome)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        stop(f"{output}: {error.strerror}")
    say(f"{output}: {machine.name}")


async def _saga(instance_id: str, store: str | None, machine: Machine) -> SagaView:
    if store is not None:
        async with stored(store, [machine]) as database:
            return await database.show(instance_id)
    async with served() as service:
        return await service.show(instance_id)
