"""One function for each kind of customer; `HABITS` is what a seed draws from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from kessai.proof.simulation.browser import Reply
from kessai.proof.simulation.people import OPEN, Person, soon

_CHANGED_MIND = {"reason": "CHANGED_MIND"}


async def pays_at_once(person: Person) -> None:
    if got := await person.bought():
        await asyncio.sleep(person.plan.r * 3)
        await person.pay(got[1])


async def pays_late(person: Person) -> None:
    if got := await person.bought():
        await asyncio.sleep(person.plan.r * 60)
        await person.pay(got[1])


async def pays_at_expiry(person: Person) -> None:
    if got := await person.bought():
        if ends_ms := await person.moment(got[0], "paymentExpiresAt"):
            await person.until_ms(ends_ms + (person.plan.r * 2 - 1.2) * 1000)
        await person.pay(got[1])


async def pays_at_deadline(person: Person) -> None:
    if got := await person.bought():
        if hold_ms := await person.moment(got[0], "holdUntil"):
            await person.until_ms(hold_ms + (person.plan.r * 2 - 1) * 1000)
        await person.pay(got[1])


async def declines(person: Person) -> None:
    if got := await person.bought():
        await asyncio.sleep(person.plan.r * 15)
        await person.pay(got[1], "decline")


async def lets_expire(person: Person) -> None:
    if got := await person.bought():
        await asyncio.sleep(person.plan.r * 15)
        await person.pay(got[1], "expire")


async def abandons(person: Person) -> None:
    await person.buy()


async def cancels_soon(person: Person) -> None:
    """Often before the purchase has been answered."""
    buying = asyncio.ensure_future(person.buy())
    await asyncio.sleep(person.plan.r * 8)
    await person.cancel_all()
    await buying


async def cancels_while_paying(person: Person) -> None:
    if got := await person.bought():
        await asyncio.sleep(person.plan.r * 10)
        await asyncio.gather(
            soon(person.act(got[0], "cancel"), person.plan.s),
            soon(person.pay(got[1]), person.plan.t),
        )


async def cancels_after_paying(person: Person) -> None:
    if got := await person.bought():
        await person.pay(got[1])
        await asyncio.sleep(person.plan.r * 4)
        await asyncio.gather(*(person.act(got[0], "cancel") for _ in range(2)))


async def pays_after_cancel(person: Person) -> None:
    if got := await person.bought():
        await person.act(got[0], "cancel")
        await asyncio.sleep(person.plan.r * 6)
        ended = (await person.order(got[0]))["status"] == "FAILED"
        # Who is told by the provider that there is no such code cannot close it any better.
        if await person.pay(got[1]) and ended and not person.wallet.was_denied(got[1]):
            person.complain(f"{got[1]} could be paid when its order had ended")


async def double_click(person: Person) -> None:
    first, second = await asyncio.gather(person.buy(), person.buy())
    if first and second and first != second:
        person.complain(f"one key made two orders: {first} {second}")
    await pays_at_once(person)


async def two_tabs(person: Person) -> None:
    got = await asyncio.gather(
        person.bought(key="a"), person.bought(key="b"), return_exceptions=True
    )
    for one in got:
        if isinstance(one, tuple):
            await person.pay(one[1])


async def retries(person: Person) -> None:
    await _retry(person, times=1)


async def retries_twice_at_once(person: Person) -> None:
    await _retry(person, times=2)


async def retries_in_doubt(person: Person) -> None:
    """Has paid in the last second, is told that the code expired, and pays a second time."""
    got = await person.bought()
    if got is None:
        return
    if ends_ms := await person.moment(got[0], "paymentExpiresAt"):
        await person.until_ms(ends_ms - 1000 * (0.5 + person.plan.s))
    await person.pay(got[1])
    await _pay_again(person, got[0], got[1], times=1)


async def _retry(person: Person, *, times: int) -> None:
    got = await person.bought()
    if got is None:
        return
    await person.pay(got[1], "decline" if person.plan.s < 0.5 else "expire")
    await _pay_again(person, got[0], got[1], times=times)


async def _pay_again(person: Person, order_id: str, code: str, *, times: int) -> None:
    """A second code is asked for until it comes, and is paid."""
    pauses = person.pauses()
    for _ in range(12):
        order = await person.order(order_id)
        if order["status"] not in OPEN:
            return
        if order.get("paymentStatus") in ("FAILED", "EXPIRED", "CANCELLED"):
            asked = await asyncio.gather(
                *(person.act(order_id, "payment") for _ in range(times)), return_exceptions=True
            )
            if any(isinstance(one, Reply) and one.status == 200 for one in asked):
                break
        await pauses.next()
    second = await person.code(order_id, after=code)
    if second is not None:
        await asyncio.sleep(person.plan.r * 20)
        await person.pay(second)


async def checks(person: Person) -> None:
    got = await person.bought()
    if got is None:
        return
    for step in range(6):
        if step == 3:
            await person.pay(got[1])
        await person.act(got[0], "check")
        await asyncio.sleep(person.plan.r * 6)


async def balance(person: Person) -> None:
    await person.buy(method="BALANCE")


async def balance_cancel(person: Person) -> None:
    buying = asyncio.ensure_future(person.buy(method="BALANCE"))
    await asyncio.sleep(person.plan.r * 0.05)
    await person.cancel_all()
    await buying


async def refund(person: Person) -> None:
    await _refund(person, times=1)


async def refund_twice(person: Person) -> None:
    await _refund(person, times=3)


async def _refund(person: Person, *, times: int) -> None:
    got = await person.bought()
    if got is None:
        return
    await person.pay(got[1])
    if await person.until(got[0], "PAID", "FAILED") != "PAID":
        return
    await asyncio.sleep(person.plan.r * 10)
    await asyncio.gather(
        *(person.act(got[0], "refund", _CHANGED_MIND) for _ in range(times)),
        return_exceptions=True,
    )
    if times > 1:
        await asyncio.sleep(person.plan.s * 20)
        await person.act(got[0], "refund", _CHANGED_MIND)


async def balance_refund(person: Person) -> None:
    order_id = await person.buy(method="BALANCE")
    if order_id and await person.until(order_id, "PAID", "FAILED") == "PAID":
        await asyncio.gather(
            *(person.act(order_id, "refund", _CHANGED_MIND) for _ in range(2)),
            return_exceptions=True,
        )


async def sold_out(person: Person) -> None:
    await person.buy()


async def forged(person: Person) -> None:
    """Says that it has paid, and never does."""
    order_id = await person.buy()
    if order_id is None:
        return
    amount = int((await person.order(order_id)).get("amount", 1))
    for number in range(1, 4):
        await asyncio.sleep(person.plan.r * 10)
        await person.wallet.forge(order_id, amount, merchant_order_id=f"{order_id}-{number % 3}")


async def foreign(person: Person) -> None:
    order_id = await person.buy()
    if order_id is None:
        return
    amount = int((await person.order(order_id)).get("amount", 1))
    await person.wallet.forge("z" * 26, amount)
    await person.wallet.forge(order_id, amount, merchant_id="another")
    await person.wallet.forge(order_id, amount, notification_type="file.created")


async def pays_unseen(person: Person) -> None:
    """Pays whatever the provider offers for the order, shown by the shop or not."""
    order_id = await person.buy()
    if order_id is None:
        return
    for _ in range(5):
        await asyncio.sleep(1 + person.plan.r * 15)
        for offer in person.wallet.offers(order_id):
            if offer.is_payable:
                await person.pay(offer.merchant_payment_id)


async def cheats(person: Person) -> None:
    """Names a price, first in a field of its own, then as the one that was shown."""
    cheap = [{"productId": one, "quantity": n, "price": 1} for one, n in person.lines()]
    for key, more in (
        ("c1", {"items": cheap}),
        ("c2", {"amount": 1}),
        ("c3", {"expectedAmount": 1}),
    ):
        if order_id := await person.buy(key=key, more=more, tries=1):
            order = await person.order(order_id)
            if order.get("amount") == 1:
                person.complain(f"{order_id} was sold for ¥1")
    await pays_at_once(person)


async def pays_another_amount(person: Person) -> None:
    """The code at the provider is not for what we asked for: nobody may take that for the price."""
    if got := await person.bought():
        await asyncio.sleep(person.plan.r * 3)
        await person.pay(got[1], "pay_other")


async def other_body(person: Person) -> None:
    """A program with a mistake: the same key for another cart. It must not get an order for it."""
    if (order_id := await person.buy()) is None:
        return
    other = [{"productId": one, "quantity": n + 1} for one, n in person.lines()]
    for more in ({"items": other}, {"customerName": "別人"}):
        reply = await person.send_cart("k", {"method": "PAYPAY", **more})
        if reply.status < 300:
            person.complain(f"the key of {order_id} was taken for another cart")
    await pays_at_once(person)


async def refunded_in_parts(person: Person) -> None:
    """The operator gives back more than there is, in parts, and the customer asks as well."""
    order_id = await person.buy(method="BALANCE" if person.plan.s < 0.3 else "PAYPAY")
    if order_id is None:
        return
    if person.plan.s >= 0.3 and (code := await person.code(order_id)):
        await person.pay(code)
    if await person.until(order_id, "PAID", "FAILED") != "PAID":
        return
    amount = int((await person.order(order_id)).get("amount", 2))
    parts = (amount * 2 // 5, amount * 2 // 5, amount // 2, None)
    await asyncio.gather(
        *(person.clerk.refund(order_id, part, f"r{n}") for n, part in enumerate(parts)),
        *(person.clerk.refund(order_id, part, f"r{n}") for n, part in enumerate(parts[:2])),
        soon(person.act(order_id, "refund", _CHANGED_MIND), person.plan.t),
        return_exceptions=True,
    )


HABITS: Mapping[str, Callable[[Person], Awaitable[None]]] = {
    habit.__name__: habit
    for habit in (
        pays_at_once, pays_late, pays_at_expiry, pays_at_deadline, declines, lets_expire, abandons,
        cancels_soon, cancels_while_paying, cancels_after_paying, pays_after_cancel, double_click,
        two_tabs, retries, retries_twice_at_once, retries_in_doubt, checks, balance,
        balance_cancel, refund, refund_twice, balance_refund, sold_out, forged, foreign,
        pays_unseen, cheats, other_body, refunded_in_parts,
        pays_another_amount,
    )
}  # fmt: skip
