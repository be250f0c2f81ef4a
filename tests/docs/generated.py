"""Pages that the code writes: `python -m tests.docs.generated` writes all of them anew.

Every page of the table is compared with what its function renders (`test_generated.py`).
A page's function takes nothing and returns its whole text, which ends with a line break.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.docs import (
    cli,
    decisions,
    diagrams,
    errors,
    events,
    http,
    invariants,
    saga_machines,
    services,
    settings,
    state_machines,
)

ROOT = Path(__file__).parents[2]
COMMAND = "python -m tests.docs.generated"

Render = Callable[[], str]

# Path below the repository's root: what renders it.
PAGES: Mapping[str, Render] = {
    "docs/adr/index.md": decisions.index_page,
    "docs/architecture/order-sagas.md": saga_machines.order_sagas_page,
    "docs/architecture/services.md": services.services_page,
    "docs/architecture/state-machines.md": state_machines.state_machines_page,
    "docs/diagrams/data-flow.svg": diagrams.data_flow_svg,
    "docs/diagrams/kessai.drawio": diagrams.drawio,
    "docs/diagrams/overview.svg": diagrams.overview_svg,
    "docs/reference/cli.md": cli.cli_page,
    "docs/reference/errors.md": errors.errors_page,
    "docs/reference/events.md": events.events_page,
    "docs/reference/http.md": http.http_page,
    "docs/reference/invariants.md": invariants.invariants_page,
    "docs/reference/settings.md": settings.settings_page,
}


def write(root: Path = ROOT, pages: Mapping[str, Render] = PAGES) -> list[str]:
    """The paths whose text changed."""
    changed = []
    for name, render in pages.items():
        path, text = root / name, render()
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        changed.append(name)
    return changed


def differences(root: Path = ROOT, pages: Mapping[str, Render] = PAGES) -> Iterator[str]:
    """`file:line: what` of the first line of each page that is not as the code has it."""
    for name, render in pages.items():
        path = root / name
        if not path.is_file():
            yield f"{name}:1: is not there; run: {COMMAND}"
            continue
        written = path.read_text("utf-8").splitlines(keepends=True)
        rendered = render().splitlines(keepends=True)
        for number in range(max(len(written), len(rendered))):
            there, wanted = (
                lines[number] if number < len(lines) else None for lines in (written, rendered)
            )
            if there != wanted:
                says = f"has {there!r}, the code says {wanted!r}"
                yield f"{name}:{number + 1}: {says}; run: {COMMAND}"
                break


if __name__ == "__main__":
    for written_page in write():
        print(written_page)  # noqa: T201 - what a command tells
