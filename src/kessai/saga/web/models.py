"""What operators send and see, as JSON: camelCase, times as text, statuses as Seata names them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from pydantic.alias_generators import to_camel

from kessai.saga.language import Status
from kessai.saga.records import MAX_PAGE

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class View(BaseModel):
    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore"
    )


class ListQuery(View):
    model_config = ConfigDict(extra="forbid")

    status: Status | None = None
    compensation: Status | None = None
    machine: str | None = Field(default=None, max_length=128)
    business_key: str | None = Field(default=None, max_length=128)
    running: bool | None = None
    needs_operator: bool | None = None
    stale: bool | None = None
    cursor: str | None = Field(default=None, max_length=26)
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)


class SagaRow(View):
    """One instance in a list. `stale`: it counts as running, but no living engine drives it."""

    id: str
    machine: str
    machine_version: str
    business_key: str | None
    parent_id: str | None
    status: str
    compensation: str | None
    running: bool
    stale: bool
    needs_operator: bool
    redrives: int
    due_at: str | None
    owner: str
    started_at: str
    ended_at: str | None


class SagaPage(View):
    """Newest first; `next_cursor` goes on, also after a page that is short."""

    items: tuple[SagaRow, ...]
    next_cursor: str | None


class ErrorView(View):
    type: str
    code: str
    message: str
    verdict: str
    facts: dict[str, JsonValue]


class StateView(View):
    """One execution of a state. `undoes`, `undoneBy` and `againFor` are numbers of others.

    `superseded`: a later execution of the state counts instead.
    """

    n: int
    state: str
    name: str
    type: str
    calls: str | None
    status: str
    undo_status: str | None
    undoes: int | None
    undone_by: int | None
    again_for: int | None
    superseded: bool
    attempt: int
    token: str
    input: tuple[JsonValue, ...]
    output: JsonValue
    error: ErrorView | None
    started_at: str | None
    ended_at: str | None
    due_at: str | None
    saga: SagaView | None = None


class SagaView(SagaRow):
    """`version` is what an order names; `defined` is false where the machine is not loaded here."""

    version: int
    defined: bool
    operation: str | None
    context: dict[str, JsonValue]
    error: ErrorView | None
    cause: ErrorView | None
    fault: ErrorView | None
    states: tuple[StateView, ...]
    actions: tuple[str, ...]


class TimelineEntry(View):
    """One row of the log. `actor` and `reason` belong to an operator's order."""

    seq: int
    at: str
    kind: str
    operation: str | None
    state: str | None
    status: str
    attempt: int | None
    error: ErrorView | None
    enters: tuple[str, ...]
    compensates: bool
    due_at: str | None
    ended: tuple[str, str | None] | None
    changed: bool
    actor: str | None
    reason: str | None


class Timeline(View):
    id: str
    machine: str
    version: int
    entries: tuple[TimelineEntry, ...]


class OrderBody(View):
    """What an operator wants: why, and what they saw. `params` replace parts of the context."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason
    version: Annotated[int, Field(ge=1, strict=True)]
    params: dict[str, JsonValue] = Field(default_factory=dict)


class Ordered(View):
    """`changed` is false when there was nothing to do; the saga goes on by itself meanwhile."""

    changed: bool
    saga: SagaView
