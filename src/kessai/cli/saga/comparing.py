"""Recorded cases of Seata's engine against ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kessai.cli.saga.given import readable
from kessai.cli.saga.paper import listed, print_json, say, stop
from kessai.kernel import telemetry
from kessai.saga.conformance import KINDS, Unreadable, run


def compare(cases: Path, machines: Sequence[Path], kind: str | None, *, as_json: bool) -> int:
    """The exit code. Failures are a line each, the counts stand in the last."""
    if kind is not None and kind not in KINDS:
        stop(f"--kind {kind!r} is none of {listed(KINDS)}")
    if why := readable(cases):
        stop(f"{cases}: {why}")
    for folder in machines:
        if not folder.is_dir():
            stop(f"--machines {folder}: not a folder")
    # The demo services fail on purpose, and the engine would tell of each time.
    telemetry.configure("CRITICAL")
    try:
        report = run(cases, machines, kind)
    except Unreadable as error:
        stop(str(error))
    except (LookupError, TypeError, AttributeError) as error:
        wanted = f"cases of the kind {kind}" if kind else "cases"
        stop(f"{cases}: not of the form of {wanted}: {type(error).__name__}: {error}")
    if as_json:
        print_json(report.to_json())
    else:
        for line in report.lines:
            say(line)
        say(report.summary)
    return 1 if report.failed else 0
