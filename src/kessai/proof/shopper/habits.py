"""What each kind of customer does, as a story each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

from kessai.contracts.moves import FINAL_ORDER
from kessai.kernel.clock import parse_wire, to_ms
from kessai.proof.customer import Answered
from kessai.proof.shopper.mix import Kind
from kessai.proof.shopper.notes import OrderNote
from kessai.proof.shopper.page import Page
from kessai.proof.shopper.person import OPEN, GaveUp, Person

_FINAL: Final = tuple(FINAL_ORDER)
_SEVERAL: Final = 12
_REASON: Final = "CHANGED_MIND"
_ENDED_ATTEMPT: Final = ("FAILED", "EXPIRED", "CANCELLED")


async def _follow(person: Person, note: OrderNote, *until: str) -> bool:
    stayed = await Page(person, person.account, note).stay(*(until or _FINAL))
    if not stayed:
        person.notes.gave_up["waiting for the end"] += 1
    return stayed


async def _pay(person: Person, note: OrderNote, *, share: float = 1.0) -> str | None:
    """Opens the page of the code, thinks, pays. The payment; None when there was no code."""
    payment = await person.code(note)
    if payment is not None:
        await person.think(share)
        await person.pay(note, payment)
    return payment


async def pays_at_once(person: Person) -> None:
    note = await person.buy()
    paying = asyncio.ensure_future(_pay(person, note))
    await _both(_follow(person, note), paying)


async def pays_late(person: Person) -> None:
    note = await person.buy()
    await _both(_follow(person, note), _pay(person, note, share=4))


async def pays_at_expiry(person: Person) -> None:
    """The code's last second, or the one after."""
    note = await person.buy()
    await _pay_at(person, note, (await person.look(note)).payment_expires_at)


async def pays_at_deadline(person: Person) -> None:
    """The order's last second, or the one after."""
    note = await person.buy()
    await _pay_at(person, note, (await person.look(note)).hold_until)


async def _pay_at(person: Person, note: OrderNote, moment: str | None) -> None:
    payment = await person.code(note)
    if payment is None:
        return
    if not await person.until(moment, plus_s=person.planned.instant * 2 - 1):
        person.notes.gave_up["the deadline is too far away"] += 1
        return
    await person.pay(note, payment)
    await _follow(person, note)


async def abandons(person: Person) -> None:
    await person.buy()


async def declines(person: Person) -> None:
    """Then closes the page: the order waits for its deadline."""
    note = await person.buy()
    payment = await person.code(note)
    if payment is not None:
        await person.think()
        await person.pay(note, payment, "decline")


async def cancels(person: Person) -> None:
    note = await person.buy()
    await person.think()
    await person.act(note, "cancel")
    await _follow(person, note)


async def cancels_while_paying(person: Person) -> None:
    note = await person.buy()
    payment = await person.code(note)
    if payment is None:
        return
    await person.think()
    await _both(
        _after(person.planned.instant * 0.2, person.act(note, "cancel")),
        _after(person.planned.aside * 0.2, person.pay(note, payment)),
    )
    await _follow(person, note)


async def pays_after_cancel(person: Person) -> None:
    """The code is still on the other screen."""
    note = await person.buy()
    payment = await person.code(note)
    await person.act(note, "cancel")
    await asyncio.sleep(person.planned.instant)
    if payment is not None:
        await person.pay(note, payment)
    await _follow(person, note)


async def double_click(person: Person) -> None:
    first, second = await _both(person.buy(), person.buy())
    if first.order_id != second.order_id:
        person.notes.say_wrong(f"one key made two orders: {first.order_id} {second.order_id}")
    await _both(_follow(person, first), _pay(person, first))


async def two_tabs(person: Person) -> None:
    """Two orders of one cart, both paid."""
    for note in await _both(person.buy(key="a"), person.buy(key="b")):
        await _pay(person, note, share=0.3)
        await _follow(person, note)


async def two_devices(person: Person) -> None:
    """Bought here, looked at there; one pays, both see it."""
    other = await person.account.device(within_s=person.manners.patience_s)
    note = await person.buy()
    there = Page(person, other, note)
    here, _, _ = await asyncio.gather(
        _follow(person, note), there.stay(*_FINAL), _pay(person, note)
    )
    if not here:
        person.notes.gave_up["waiting for the end"] += 0


async def retries_after_decline(person: Person) -> None:
    await _retry(person, "decline")


async def retries_after_expiry(person: Person) -> None:
    await _retry(person, "expire")


async def _retry(person: Person, act: str) -> None:
    """The first code is of no use any more; a second one is asked for, and paid."""
    note = await person.buy()
    first = await person.code(note)
    if first is None:
        return
    await person.think(0.5)
    await person.pay(note, first, act)
    if not await _second_code(person, note):
        return
    second = await person.code(note, other_than=first)
    if second is not None:
        await person.think()
        await _both(_follow(person, note), person.pay(note, second))


async def _second_code(person: Person, note: OrderNote) -> bool:
    end_s = asyncio.get_running_loop().time() + person.manners.patience_s
    while asyncio.get_running_loop().time() < end_s:
        order = await person.look(note)
        held_until_ms = to_ms(parse_wire(order.hold_until)) if order.hold_until else None
        if order.status not in OPEN:
            return False
        if held_until_ms is not None and person.clock.now_ms() > held_until_ms:
            return False
        # Refused where its code would outlast the order: then the deadline comes.
        if order.payment_status in _ENDED_ATTEMPT:
            return await person.act(note, "payment") is not None
        await asyncio.sleep(0.5 + person.planned.aside)
    raise GaveUp("a second code")


async def checks(person: Person) -> None:
    """Presses "check now" all the time; what is too often is refused."""
    note = await person.buy()
    payment = await person.code(note)
    for press in range(_SEVERAL):
        if press == _SEVERAL // 2 and payment is not None:
            await person.pay(note, payment)
        await person.act(note, "check")
        await asyncio.sleep(person.planned.pause * 0.5)
    await _follow(person, note)


async def reloads(person: Person) -> None:
    note = await person.buy()
    await _all(person.look(note) for _ in range(_SEVERAL))
    await _pay(person, note, share=0.3)
    await _all(person.look(note) for _ in range(_SEVERAL))
    await _follow(person, note)


async def reconnects(person: Person) -> None:
    """The train goes through tunnels: the page is opened and lost again and again."""
    note = await person.buy()
    paying = asyncio.ensure_future(_pay(person, note, share=0.5))
    for _ in range(_SEVERAL // 2):
        page = asyncio.ensure_future(Page(person, person.account, note).stay(*_FINAL))
        await asyncio.sleep(0.1 + person.planned.aside * 0.4)
        page.cancel()
        await asyncio.gather(page, return_exceptions=True)
    await _both(_follow(person, note), paying)


async def refund(person: Person) -> None:
    note = await _bought(person)
    if note is not None:
        await person.think()
        await person.act(note, "refund", reason=_REASON)
        await _follow(person, note, "REFUNDED")


async def refund_twice(person: Person) -> None:
    note = await _bought(person)
    if note is not None:
        await _all(person.act(note, "refund", reason=_REASON) for _ in range(3))
        await _follow(person, note, "REFUNDED")
        await person.act(note, "refund", reason=_REASON)


async def _bought(person: Person) -> OrderNote | None:
    """An order that is PAID."""
    note = await person.buy()
    await _both(_follow(person, note), _pay(person, note, share=0.3))
    return note if note.status == "PAID" else None


async def wallet(person: Person) -> None:
    note = await person.buy(method="BALANCE")
    await _follow(person, note)


async def wallet_refund(person: Person) -> None:
    note = await person.buy(method="BALANCE")
    if await _follow(person, note) and note.status == "PAID":
        await person.act(note, "refund", reason=_REASON)
        await _follow(person, note, "REFUNDED")


async def out_of_stock(person: Person) -> None:
    note = await person.buy(person.shelf.too_many(person.planned.product))
    if note.status in OPEN:
        # In doubt at first; what there is not enough of cannot be held.
        await _follow(person, note)


async def last_pieces(person: Person) -> None:
    note = await person.buy(person.shelf.last_pieces())
    if note.status in OPEN:
        await _both(_follow(person, note), _pay(person, note, share=0.3))


async def several_products(person: Person) -> None:
    note = await person.buy(person.shelf.several(person.planned.product, person.planned.aside))
    await _both(_follow(person, note), _pay(person, note))


async def old_price(person: Person) -> None:
    """Was shown another price; sees the difference, and buys all the same."""
    lines = person.shelf.one(person.planned.product)
    shown = person.shelf.price_yen(lines) + 1
    try:
        note = await person.buy(lines, expected_yen=shown)
    except Answered as answered:
        if answered.code != "PRICE_CHANGED":
            raise
        amount = int(str(answered.problem["amount"]))
        note = await person.buy(lines, key="b", expected_yen=amount)
    else:
        if note.status != "FAILED":
            person.notes.say_wrong(f"{note.order_id} was bought at a price that nobody agreed to")
    await _both(_follow(person, note), _pay(person, note, share=0.3))


async def _after(delay_s: float, doing: Awaitable[object]) -> None:
    await asyncio.sleep(delay_s)
    await doing


async def _both(*doing: Awaitable[Any]) -> list[Any]:
    """All of them to their end; what the first raised is raised when nothing runs any more."""
    done = await asyncio.gather(*doing, return_exceptions=True)
    for result in done:
        if isinstance(result, BaseException):
            raise result
    return list(done)


async def _all(doing: Any) -> None:
    await _both(*doing)


HABITS: Final[Mapping[Kind, Callable[[Person], Coroutine[Any, Any, None]]]] = {
    Kind.PAYS_AT_ONCE: pays_at_once,
    Kind.PAYS_LATE: pays_late,
    Kind.PAYS_AT_EXPIRY: pays_at_expiry,
    Kind.PAYS_AT_DEADLINE: pays_at_deadline,
    Kind.ABANDONS: abandons,
    Kind.DECLINES: declines,
    Kind.CANCELS: cancels,
    Kind.CANCELS_WHILE_PAYING: cancels_while_paying,
    Kind.PAYS_AFTER_CANCEL: pays_after_cancel,
    Kind.DOUBLE_CLICK: double_click,
    Kind.TWO_TABS: two_tabs,
    Kind.TWO_DEVICES: two_devices,
    Kind.RETRIES_AFTER_DECLINE: retries_after_decline,
    Kind.RETRIES_AFTER_EXPIRY: retries_after_expiry,
    Kind.CHECKS: checks,
    Kind.RELOADS: reloads,
    Kind.RECONNECTS: reconnects,
    Kind.REFUND: refund,
    Kind.REFUND_TWICE: refund_twice,
    Kind.WALLET: wallet,
    Kind.WALLET_REFUND: wallet_refund,
    Kind.OUT_OF_STOCK: out_of_stock,
    Kind.LAST_PIECES: last_pieces,
    Kind.SEVERAL_PRODUCTS: several_products,
    Kind.OLD_PRICE: old_price,
}
# Whose money lies in the shop's own wallet: nobody else may have spent it.
NEEDS_OWN_ACCOUNT: Final = frozenset({Kind.WALLET, Kind.WALLET_REFUND})
