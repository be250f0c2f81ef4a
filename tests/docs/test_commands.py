"""Every shell block of README, runbook and deployment guide is run, or says why not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.docs.blocks import Block, blocks, lanes, made_by_lanes
from tests.docs.commands import Command, to_run, wrong_markers
from tests.docs.running import QUICK, System, a_system
from tests.docs.samples import command_of, samples, stale

BLOCKS, BY_LANE = blocks(), made_by_lanes()
RUN = [block for block in BLOCKS if block.is_shell and to_run(block, BY_LANE)]
SAMPLES: dict[str, list[Block]] = {}
for sample in samples():
    SAMPLES.setdefault(sample.output_of or "", []).append(sample)
network = [pytest.mark.network, pytest.mark.xdist_group("docs"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with a_system(tmp_path_factory.mktemp("docs"), **QUICK) as made:
        yield made


def test_every_marker_says_something_that_is_so() -> None:
    assert list(wrong_markers(BLOCKS, lanes())) == []


@pytest.mark.parametrize("block", [pytest.param(b, id=b.at, marks=network) for b in RUN])
def test_a_block_does_what_its_reader_expects(block: Block, system: System) -> None:
    known: dict[str, str] = {}
    try:
        for command in to_run(block, BY_LANE):
            ended = system.run(command, known)
            assert ended.code == command.code, ended.told
    finally:
        system.calm()


@pytest.mark.parametrize("command", [pytest.param(c, id=c, marks=network) for c in sorted(SAMPLES)])
def test_a_sample_shows_what_the_command_prints(command: str, system: System) -> None:
    several = SAMPLES[command]
    ended = system.run(command_of(several[0]), {})
    assert ended.code == 0, ended.told
    assert [line for block in several for line in stale(block, ended.out)] == []


@pytest.mark.network
@pytest.mark.xdist_group("docs")
@pytest.mark.timeout(300)
def test_what_serves_is_seen_alive_and_stopped(system: System) -> None:
    serving = system.run(Command("here:1", "kessai sim firebase", stays=True), {})
    assert serving.code == 0, serving.told
    ended = system.run(Command("here:1", "kessai --help", stays=True), {})
    assert ended.code != 0, "it ended by itself, so it does not stay"
