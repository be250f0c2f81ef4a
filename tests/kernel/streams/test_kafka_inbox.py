"""What was fetched of several topics is handled in one order of time, and timers keep to it."""

from __future__ import annotations

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME
from confluent_kafka import Message as KafkaMessage
from hypothesis import given, settings
from hypothesis import strategies as st

from kessai.kernel.streams.kafka_inbox import Inbox

TOPICS = ("orders", "payments")


def message(topic: str, offset: int, at_ms: int) -> KafkaMessage:
    stamp = (TIMESTAMP_LOG_APPEND_TIME, at_ms)
    return KafkaMessage(topic, 0, offset, b"k", b"v", timestamp=stamp)


def taken(inbox: Inbox) -> tuple[list[int], int | None]:
    records, until_ms = inbox.take()
    return [record[0] for record in records], until_ms


def test_of_a_topic_that_has_more_nothing_younger_is_known() -> None:
    inbox = Inbox(TOPICS)
    inbox.add(message("orders", 0, 100))
    assert taken(inbox) == ([], 0)
    inbox.ended("payments", 7)
    assert taken(inbox) == ([100], 100)
    # None of it is here, and it is no earlier than what was the last.
    inbox.add(message("payments", 7, 90))
    assert taken(inbox) == ([90], 90)
    inbox.ended("orders", 1)
    inbox.ended("payments", 8)
    assert taken(inbox) == ([], None)
    assert inbox.is_at_end


def test_the_broker_knows_of_records_that_are_not_here() -> None:
    inbox = Inbox(TOPICS)
    inbox.add(message("orders", 0, 100))
    inbox.ended("orders", 1)
    inbox.ended("payments", 0)
    assert taken(inbox) == ([100], None)
    inbox.ends_at("orders", 1)
    assert inbox.known_until_ms is None
    inbox.ends_at("orders", 2)
    assert inbox.known_until_ms == 100
    inbox.ends_at("payments", 1)
    assert inbox.known_until_ms == 0


@given(st.lists(st.tuples(st.sampled_from(TOPICS), st.integers(1, 40), st.sampled_from("aet"))))
@settings(deadline=None, derandomize=True)
def test_nothing_comes_after_what_timers_have_passed(
    steps: list[tuple[str, int, str]],
) -> None:
    """Each topic's times only grow, as those of a log do."""
    inbox, now, passed_ms = Inbox(TOPICS), 0, 0
    offsets = dict.fromkeys(TOPICS, 0)
    added, handled = 0, list[int]()
    for topic, pause_ms, what in (*steps, ("orders", 1, "e"), ("payments", 1, "e"), ("", 1, "t")):
        now += pause_ms
        match what:
            case "a":
                inbox.add(message(topic, offsets[topic], now))
                offsets[topic] += 1
                added += 1
            case "e":
                inbox.ended(topic, offsets[topic])
            case _:
                turns, until_ms = taken(inbox)
                assert all(turn >= passed_ms for turn in turns)
                handled += turns
                passed_ms = now if until_ms is None else max(passed_ms, until_ms)
    assert handled == sorted(handled)
    assert len(handled) == added
