"""What a service logs with a traceback: an effect of the faults, or a mistake that must be told."""

from __future__ import annotations

import logging

import pytest

from kessai.kernel.errors import DatabaseUnavailable, Unknown
from kessai.kernel.telemetry import get_log, in_service, overheard
from kessai.proof.simulation.complaints import Complaints


def told_of(error: Exception, *, library: bool = False) -> list[str]:
    complaints, findings = Complaints(), list[str]()
    with overheard(complaints.hear), in_service("order-service"):
        complaints.begin(findings)
        try:
            raise error
        except type(error):
            if library:
                logging.getLogger("a.library").exception("it failed")
            else:
                get_log("kessai.order").exception("work.failed", order_id="x")
        complaints.end()
    return findings


@pytest.mark.parametrize(
    "error",
    [
        DatabaseUnavailable("the disk does not answer"),
        Unknown("NO_ANSWER"),
        ExceptionGroup("two at once", [Unknown("NO_ANSWER"), DatabaseUnavailable("gone")]),
    ],
)
def test_what_follows_from_faults_is_no_finding(error: Exception) -> None:
    assert told_of(error) == []


def test_a_mistake_is_told_with_whose_it_is() -> None:
    wrong = LookupError("no such row")
    assert told_of(wrong) == ["order-service logged work.failed: LookupError: no such row"]
    assert told_of(wrong, library=True) == [
        "order-service logged a.library: LookupError: no such row"
    ]


def test_a_mistake_in_a_group_is_told_with_the_group() -> None:
    [told] = told_of(ExceptionGroup("two at once", [ValueError("wrong"), KeyError("more")]))
    assert told.startswith("order-service logged work.failed: ")
    assert "ExceptionGroup" in told


def test_a_line_without_an_error_and_one_that_is_too_quiet_are_no_findings() -> None:
    complaints, findings = Complaints(), list[str]()
    with overheard(complaints.hear):
        complaints.begin(findings)
        get_log("kessai.order").error("saga.needs_operator")
        get_log("kessai.order").warning("work.put_off", exc_info=ValueError("wrong"))
    assert findings == []
