"""Every rule: when it holds, how long it may hold before somebody is told, and what to do then.

A rule is a function over an order's facts. While it gives an opening, and that is due, its alert is
open; as soon as it gives none, because the missing fact came, the alert closes by itself. A rule
about what services complain of has an alert for each subject of a complaint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from kessai.alert.domain.facts import Facts, Told, made
from kessai.contracts.events import refund_again_id
from kessai.contracts.order import Remedy


@dataclass(frozen=True, slots=True)
class Windows:
    """How long the other side may take. Rules A and B wait for `pair_ms`, D for `refund_ms`."""

    pair_ms: int = 30_000
    refund_ms: int = 300_000


class Opening(NamedTuple):
    """`episode`: the event that began it. `due_ms`: from when on the rule's alert is raised."""

    episode: str
    due_ms: int


Openings = tuple[Opening, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """`remedies` are those that an operator may order; with `refunds_own` the refund also asks
    again for what was refused of the order's own payment."""

    id: str
    severity: str
    sentence: str
    remedy: str
    openings: Callable[[Facts, Windows], Openings]
    remedies: tuple[Remedy, ...] = ()
    refunds_own: bool = False
    # Else its alert is one, whichever fact turns out to be the first.
    is_by_subject: bool = False


def agrees(facts: Facts) -> bool:
    """Paid and confirmed, once each, and nothing else: no rule holds, and most orders end so."""
    paid, failed, successes, backs, told, raised, _ = facts
    return (
        paid is not None
        and len(successes) == 1
        and failed is None
        and not (backs or told or raised)
    )


_NONE: Final[Openings] = ()


def _paid_and_not_confirmed(facts: Facts, windows: Windows) -> Openings:
    if not facts.successes or facts.paid is not None or not (kept := facts.kept):
        return _NONE
    first = kept[0]
    return (made(Opening, (first.event_id, first.at_ms + windows.pair_ms)),)


def _confirmed_and_not_paid(facts: Facts, windows: Windows) -> Openings:
    paid = facts.paid
    if paid is None or facts.successes:
        return _NONE
    return (made(Opening, (paid.event_id, paid.at_ms + windows.pair_ms)),)


def _paid_twice(facts: Facts, _: Windows) -> Openings:
    """By the events' ids: deliveries of one event are one payment."""
    if len(facts.successes) < 2 or len(facts.kept) < 2:
        return _NONE
    second = facts.kept[1]
    return (Opening(second.event_id, second.at_ms),)


def _paid_after_the_end(facts: Facts, windows: Windows) -> Openings:
    if facts.failed is None or facts.paid is not None or not facts.kept:
        return _NONE
    first = facts.kept[0]
    since_ms = max(facts.failed.at_ms, first.at_ms)
    return (Opening(first.event_id, since_ms + windows.refund_ms),)


def _other_amount(facts: Facts, _: Windows) -> Openings:
    """Until the payment that differs went back."""
    kept = {one.payment for one in facts.kept}
    gone = {one.payment for one in facts.successes} - kept
    return _complaints(facts, ("AmountDiffers",), without=gone)


def _refund_stuck(facts: Facts, _: Windows) -> Openings:
    done = _refunded(facts) if facts.told else None
    return _complaints(facts, ("RefundStuck", "RefundRejected", "RefundRefused"), without=done)


def _refunded(facts: Facts) -> set[str]:
    """With those that were refused, asked for again, and came through as another refund."""
    done = {one.refund_id for one in facts.backs}
    payments = {one.payment for one in facts.backs}
    subjects = [one.subject for one in facts.told]
    # The newest first: what replaced a refusal may have been refused and replaced itself.
    for subject in reversed(subjects):
        if any(refund_again_id(payment, subject) in done for payment in payments):
            done.add(subject)
    return done


def _goods_not_settled(facts: Facts, _: Windows) -> Openings:
    names = ("StockNotSettled", "StockNotReleased", "StockNotRestocked")
    return _complaints(facts, names, ended_by="StockSettled")


def _outbox_lags(facts: Facts, _: Windows) -> Openings:
    return _latest_told(facts, "OutboxLag", ended_by="OutboxDrained")


def _webhooks_silent(facts: Facts, _: Windows) -> Openings:
    return _latest_told(facts, "WebhookSilence", ended_by="WebhooksHeard")


def _books_differ(facts: Facts, _: Windows) -> Openings:
    names = (
        "SettlementDifference",
        "SettlementFileRefused",
        "SettlementFileBroken",
        "SettlementFileLost",
    )
    return _complaints(facts, names, ended_by="SettlementAgrees")


def _money_went_back(facts: Facts, _: Windows) -> Openings:
    return _complaints(facts, ("MoneyReturned",))


def _complaints(
    facts: Facts, names: tuple[str, ...], *, without: set[str] | None = None, ended_by: str = ""
) -> Openings:
    """The first complaint about each subject whose end nobody has told."""
    if not facts.told:
        return _NONE
    ended = {one.subject for one in facts.told if one.name == ended_by} | (without or set())
    found: dict[str, Opening] = {}
    for one in facts.told:
        if one.name in names and one.subject not in ended:
            found.setdefault(one.subject, _at_once(one))
    return tuple(found.values())


def _latest_told(facts: Facts, name: str, *, ended_by: str) -> Openings:
    """What comes and goes: the first complaint after the last end."""
    if not facts.told:
        return _NONE
    ended_ms = max((one.at_ms for one in facts.told if one.name == ended_by), default=-1)
    for one in facts.told:
        if one.name == name and one.at_ms > ended_ms:
            return (_at_once(one),)
    return _NONE


def _at_once(told: Told) -> Opening:
    return Opening(told.event_id, told.at_ms)


RULES: Final = (
    Rule(
        "A",
        "P2",
        "The customer paid, and the order was not confirmed within the window.",
        "Ask the provider now; the order is settled if the money is there.",
        _paid_and_not_confirmed,
        (Remedy.ASK_PROVIDER, Remedy.REDRIVE_SAGA),
    ),
    Rule(
        "B",
        "P2",
        "The order is confirmed, and no payment was reported within the window.",
        "Ask the provider now; if it knows of no payment, stop the goods.",
        _confirmed_and_not_paid,
        (Remedy.ASK_PROVIDER,),
    ),
    Rule(
        "C",
        "P1",
        "The order was paid more than once.",
        "Give back all but one of the payments.",
        _paid_twice,
        (Remedy.REFUND,),
    ),
    Rule(
        "D",
        "P1",
        "Money came for an order that had failed, and it was not given back in time.",
        "Give the payment back.",
        _paid_after_the_end,
        (Remedy.REFUND, Remedy.REDRIVE_SAGA),
    ),
    Rule(
        "E",
        "P1",
        "Another amount or currency was paid than was asked for.",
        "Give the payment back; the order stays as it is.",
        _other_amount,
        (Remedy.REFUND,),
        is_by_subject=True,
    ),
    Rule(
        "F",
        "P1",
        "A refund does not come to its end.",
        "Look at the provider's answer and ask for the refund again.",
        _refund_stuck,
        (Remedy.REFUND, Remedy.REDRIVE_SAGA),
        refunds_own=True,
        is_by_subject=True,
    ),
    Rule(
        "G",
        "P2",
        "Goods are held or sold for an order that has ended otherwise.",
        "Release the reservation.",
        _goods_not_settled,
        (Remedy.RELEASE, Remedy.REDRIVE_SAGA),
        is_by_subject=True,
    ),
    Rule(
        "H",
        "P2",
        "Messages wait too long before they leave a service.",
        "Look at the bus; the service sends them by itself when it answers.",
        _outbox_lags,
    ),
    Rule(
        "I",
        "P2",
        "No webhook arrives; all payments are found by polling.",
        "Look at the provider's notice board and at the door for webhooks.",
        _webhooks_silent,
    ),
    Rule(
        "J",
        "P1",
        "The provider's statement and our ledger differ.",
        "Look at the difference; the remedy is named with it.",
        _books_differ,
        (Remedy.ASK_PROVIDER, Remedy.REFUND),
        is_by_subject=True,
    ),
    Rule(
        "K",
        "P1",
        "The provider took a payment back after it had reported it.",
        "Talk to the customer before the goods leave.",
        _money_went_back,
        (Remedy.ASK_PROVIDER,),
        is_by_subject=True,
    ),
)
# The others look at what services complain of, and hold for nobody of whom nobody complained.
RULES_OF_PAYMENTS: Final = RULES[:4]
BY_ID: Final[Mapping[str, Rule]] = {rule.id: rule for rule in RULES}
