"""Which instance of a service a call goes to, and when another one may be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from tests.support.web import StillClock

from kessai.kernel.addresses import Address, Addresses
from kessai.kernel.breaker import CircuitBreaker, CircuitOpen
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.http import NoAnswer, NotSent


@dataclass
class Network:
    """What each address answers; an error is raised. `asked` is in the order of the requests."""

    answers: dict[str, str | Exception]
    asked: list[str] = field(default_factory=list)

    async def ask(self, url: str) -> str:
        self.asked.append(url)
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        return answer


def three(clock: StillClock | None = None) -> Addresses:
    clock = clock or StillClock()
    return Addresses([Address(url, CircuitBreaker(clock, failures=2)) for url in "abc"])


async def test_they_are_asked_in_turn() -> None:
    network, addresses = Network({url: url for url in "abc"}), three()
    assert [await addresses.begin().send(network.ask) for _ in range(5)] == [*"abcab"]


async def test_a_refused_connection_is_no_reason_to_fail() -> None:
    network, addresses = Network({"a": NotSent(), "b": NotSent(), "c": "c"}), three()
    assert await addresses.begin().send(network.ask) == "c"
    assert network.asked == [*"abc"]


async def test_what_nobody_took_was_not_sent() -> None:
    network, addresses = Network({url: NotSent() for url in "abc"}), three()
    with pytest.raises(NotSent):
        await addresses.begin().send(network.ask)
    assert network.asked == [*"abc"]


async def test_an_open_breaker_is_passed_over_and_tried_again_later() -> None:
    clock = StillClock()
    network, addresses = Network({"a": NotSent(), "b": "b", "c": "c"}), three(clock)
    for _ in range(4):
        await addresses.begin().send(network.ask)
    network.asked.clear()
    assert [await addresses.begin().send(network.ask) for _ in range(6)] == [*"bcbbcb"]
    assert "a" not in network.asked
    network.answers["a"] = "a"
    clock.pass_s(2.0)
    answers = [await addresses.begin().send(network.ask) for _ in range(3)]
    assert sorted(answers) == [*"abc"]


async def test_all_open_breakers_are_said_without_asking() -> None:
    network, addresses = Network({url: NotSent() for url in "abc"}), three()
    for _ in range(2):
        with pytest.raises(NotSent):
            await addresses.begin().send(network.ask)
    network.asked.clear()
    with pytest.raises(CircuitOpen):
        await addresses.begin().send(network.ask)
    assert network.asked == []


@pytest.mark.parametrize(
    "error", [NoAnswer(), Unknown("DATABASE_UNAVAILABLE"), Refused("OUT_OF_STOCK")]
)
async def test_what_may_have_been_done_is_asked_of_nobody_else(error: Exception) -> None:
    """Nor in a later try of the same call, not even when that instance is gone by then."""
    network, addresses = Network({"a": error, "b": "b", "c": "c"}), three()
    attempts = addresses.begin()
    with pytest.raises(type(error)):
        await attempts.send(network.ask)
    network.answers["a"] = NotSent()
    with pytest.raises(NotSent):
        await attempts.send(network.ask)
    assert network.asked == ["a", "a"]
    assert await addresses.begin().send(network.ask) == "b"


async def test_a_later_try_may_still_reach_whoever_came_up() -> None:
    network, addresses = Network({url: NotSent() for url in "abc"}), three()
    attempts = addresses.begin()
    send: Callable[[], Awaitable[str]] = lambda: attempts.send(network.ask)  # noqa: E731
    with pytest.raises(NotSent):
        await send()
    network.answers["b"] = "b"
    assert await send() == "b"


def test_a_service_has_an_address() -> None:
    with pytest.raises(ValueError, match="without an address"):
        Addresses([])
