"""docs/architecture/order-sagas.md: the definitions that order-service runs, drawn and listed."""

from __future__ import annotations

from collections.abc import Iterator

from tests.docs.markdown import code, page, table

from kessai.order.main import machines
from kessai.saga.graph import to_mermaid
from kessai.saga.language.model import Machine, ServiceTask, Task

LEAD = (
    "The definitions lie in `src/kessai/order/statelang/`, in Seata's JSON. Every step is asked "
    "again with the same token until it is answered: a refusal is a value that a choice looks at, "
    "silence neither advances nor compensates. What the engine promises, and what it does not: "
    "[guarantees.md](guarantees.md). How it works: [saga.md](saga.md)."
)


def order_sagas_page() -> str:
    return page("The sagas of an order", LEAD, *(section(machine) for machine in machines()))


def section(machine: Machine) -> Iterator[str]:
    way = "goes on" if machine.recover_forward else "is undone"
    yield f"## {machine.name}"
    yield ""
    yield f"{machine.comment} Version {machine.version}. When its time is up it {way}."
    yield ""
    yield "```mermaid"
    # From the top: a page is higher than wide.
    yield to_mermaid(machine).rstrip("\n").replace("flowchart LR", "flowchart TB", 1)
    yield "```"
    yield ""
    yield from table(("step", "asks", "undone by"), rows(machine))


def rows(machine: Machine) -> Iterator[tuple[str, str, str]]:
    for name, state in machine.states.items():
        if isinstance(state, Task):
            asks = f"{state.service}.{state.method}" if isinstance(state, ServiceTask) else ""
            yield name, code(asks), state.compensate_state or ""
