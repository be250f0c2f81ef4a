"""One version behind: what older programs wrote is read, and what newer ones add is skipped.

`version_1.json` holds an example of everything that crosses a service's border. An entry is never
changed; `python -m tests.support.samples` adds those that are missing. docs/operations/upgrades.md
says what follows for whoever changes a contract.
"""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel
from tests.support.samples import models, of_a_later_version, sample, version_1

from kessai.contracts.events import read_order_event, read_payment_event, write_event
from kessai.contracts.schema_files import EVENTS
from kessai.contracts.storage import ReserveStock

MODELS = dict(models())
ALL = pytest.mark.parametrize("name", sorted(MODELS))


def read(model: type[BaseModel], content: object) -> BaseModel:
    return model.model_validate_json(json.dumps(content))


@ALL
def test_what_version_1_wrote_is_read(name: str) -> None:
    assert name in version_1(), "python -m tests.support.samples"
    read(MODELS[name], version_1()[name])


@ALL
def test_what_a_later_version_adds_is_skipped(name: str) -> None:
    """At every depth."""
    model, content = MODELS[name], version_1()[name]
    later = of_a_later_version(content, content)
    assert later != content
    assert read(model, later) == read(model, content)


def dumped(made: BaseModel) -> object:
    return json.loads(made.model_dump_json(by_alias=True))


@ALL
def test_what_is_written_now_has_all_that_version_1_needs(name: str) -> None:
    """A field that went away, or changed its kind, would leave the older reader without it."""
    made = dumped(read(MODELS[name], sample(MODELS[name])))
    missing = [*lost(version_1()[name], made)]
    assert missing == []


def lost(known: object, now: object, at: str = "") -> list[str]:
    """Where the older example has something that the newer one has not, or of another kind."""
    if isinstance(known, dict) and isinstance(now, dict):
        gone = [f"{at}/{key}" for key in known if key not in now]
        kept = [
            part
            for key in known
            if key in now
            for part in lost(known[key], now[key], f"{at}/{key}")
        ]
        return gone + kept
    if isinstance(known, list) and isinstance(now, list):
        return lost(known[0], now[0], f"{at}[]") if known and now else []
    same = isinstance(now, type(known)) or isinstance(known, type(now))
    return [] if same or known is None else [f"{at}: {type(known).__name__}"]


def test_an_answer_that_lacks_a_field_of_version_1_would_be_found() -> None:
    assert lost({"a": 1, "b": [{"c": "x"}]}, {"a": 1, "b": [{}]}) == ["/b[]/c"]
    assert lost({"a": 1}, {"a": "1"}) == ["/a: int"]
    with pytest.raises(ValueError, match="reservationId"):
        read(ReserveStock, {"orderId": "0" * 26, "lines": []})


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_a_schema_version_of_the_future_is_read_like_ours(event: type[BaseModel]) -> None:
    content = {**version_1()[f"events.{event.__name__}"], "schemaVersion": 7}
    assert read(event, of_a_later_version(content, content))


@pytest.mark.parametrize("reads", [read_order_event, read_payment_event])
def test_event_types_of_the_future_are_skipped(reads: object) -> None:
    assert callable(reads)
    for name in ("OrderShipped", "PaymentDisputed", ""):
        content = {**_LATER_EVENT, "eventType": name}
        assert reads(json.dumps(content).encode()) is None


_LATER_EVENT = {"eventId": "e", "occurredAt": "2030-01-01T00:00:00.000Z", "schemaVersion": 9}


def test_our_own_events_are_those_that_the_examples_name() -> None:
    """So that an example cannot be of something else than what is written."""
    for event in EVENTS:
        made = read(event, version_1()[f"events.{event.__name__}"])
        assert json.loads(write_event(made))["eventType"] == event.__name__  # type: ignore[arg-type]
