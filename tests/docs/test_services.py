"""The page of services has words for each of them and lists what it offers."""

from __future__ import annotations

from tests.docs.services import PORTS, WORDS, operations, services_page

from kessai.topology import SERVICES


def test_there_are_words_for_each_service_and_for_no_other() -> None:
    assert sorted(WORDS) == sorted(card.name for card in SERVICES)


def test_whoever_is_called_says_what_it_offers() -> None:
    called = {name for card in SERVICES for name in card.calls}
    assert called == set(PORTS)


def test_operations_are_those_of_the_interface() -> None:
    assert operations(PORTS["account-service"])[:2] == ["sync_user", "get_account"]
    assert all("ping" not in operations(port) for port in PORTS.values())


def test_every_port_is_in_the_table() -> None:
    rows = [line for line in services_page().splitlines() if line.startswith("| [")]
    assert [str(card.port) in row for card, row in zip(SERVICES, rows, strict=True)] == [True] * 7
