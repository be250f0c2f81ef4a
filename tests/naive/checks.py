"""One check for each known mistake, X1-X16, asked of any shop; the first line says what must hold.

Several start from a moment that only a fault makes (a lost webhook, a full disk). `reached` raises
when a shop never came there, so that a check cannot be passed by not being asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.naive.alerts import raised
from tests.naive.peer import Peer, Verdict, reached

Check = Callable[[Peer, Verdict], Awaitable[None]]
OUTAGE_S = 60.0


async def forged_webhook_never_pays(shop: Peer, verdict: Verdict) -> None:
    """Whoever posts COMPLETED, at whichever door: PAID only follows the provider's own word."""
    for door in range(shop.doors):
        order = await shop.buy(f"door-{door}")
        reached(order.payable, "an order that waits for payment")
        reached(await shop.post_webhook(order.order_id, door) == 200, "a webhook that is taken")
        await shop.wait(OUTAGE_S)
        state = await shop.state(order.order_id)
        verdict.require(state == "open", f"{state} by a webhook that anybody could have sent")


async def ack_only_after_commit(shop: Peer, verdict: Verdict) -> None:
    """What was answered with 200 is kept; what could not be kept is sent again."""
    await shop.lose_webhooks()
    order = await shop.buy("one")
    reached(await shop.pay(order.order_id), "a payment")
    await shop.break_store("news")
    status = await shop.post_webhook(order.order_id)
    verdict.require(status >= 500, f"answered {status} while nothing could be written")
    await shop.mend_store("news")
    if status >= 500:
        reached(await shop.post_webhook(order.order_id) == 200, "a webhook that is taken")
    await shop.wait(2)
    state = await shop.state(order.order_id)
    verdict.require(state == "paid", f"{state}: the news was answered with 200 and is gone")


async def provider_hiccup_never_cancels(shop: Peer, verdict: Verdict) -> None:
    """An error, a limit or a broken connection says nothing about the payment."""
    for kind in ("500", "429", "reset"):
        order = await shop.buy(kind)
        await shop.hiccup("look-up", kind)
        await shop.wait(OUTAGE_S)
        state = await shop.state(order.order_id)
        verdict.require(state == "open", f"{state} because a look-up ended with {kind}")
        await shop.hiccup("look-up", None)
        reached(await shop.pay(order.order_id), "a code that can still be paid")
        await shop.wait(OUTAGE_S)
        state = await shop.state(order.order_id)
        verdict.require(state == "paid", f"{state} after the customer paid the code")


async def polling_is_fair(shop: Peer, verdict: Verdict) -> None:
    """Ten carts that nobody pays do not keep the eleventh customer waiting."""
    await shop.lose_webhooks()
    for number in range(10):
        await shop.buy(f"abandoned-{number}")
    await shop.wait(30)
    order = await shop.buy("paid")
    reached(await shop.pay(order.order_id), "a payment")
    await shop.wait(OUTAGE_S)
    state = await shop.state(order.order_id)
    verdict.require(state == "paid", f"{state} a minute after the payment: never asked about")


async def expiry_asks_provider_first(shop: Peer, verdict: Verdict) -> None:
    """Who pays in the last second has the goods or the money back, also without a webhook."""
    await shop.lose_webhooks()
    order = await shop.buy("one")
    await shop.wait(await shop.code_ends_in_s(order.order_id) - 1)
    reached(await shop.pay(order.order_id), "a payment in the last second")
    await shop.wait(OUTAGE_S)
    await _money_agrees(shop, order.order_id, verdict)


async def late_success_refunded_once(shop: Peer, verdict: Verdict) -> None:
    """Money that comes to light after the order ended goes back, exactly once."""
    await shop.lose_webhooks()
    await shop.late_look_ups(OUTAGE_S)
    order = await shop.buy("one")
    await shop.wait(await shop.code_ends_in_s(order.order_id) - 1)
    reached(await shop.pay(order.order_id), "a payment in the last second")
    await shop.wait(30)
    reached(await shop.state(order.order_id) == "ended", "an order that ended without its money")
    await shop.wait(OUTAGE_S)
    for _ in range(3):
        await shop.post_webhook(order.order_id)
        await shop.wait(1)
    await shop.wait(150)
    await _money_agrees(shop, order.order_id, verdict)
    refunds = [count for code in await shop.book() for count in code.refunds]
    verdict.require(refunds == [shop.price], f"refunds of {refunds}")


async def no_code_without_stock(shop: Peer, verdict: Verdict) -> None:
    """Only what is reserved can be paid: not what is sold out, nor while stock cannot be asked."""
    order = await shop.buy("sold-out", "sold out")
    verdict.require(not order.payable, "what is sold out got a payable code")
    codes = len(await shop.book())
    verdict.require(codes == 0, f"the provider was asked for {codes} codes")
    await shop.break_store("stock")
    order = await shop.buy("stock-down")
    before = await shop.stock()
    codes = len(await shop.book()) - codes
    verdict.require(
        not order.payable and codes == 0, f"a payable code with {before.reserved} reserved"
    )
    await shop.mend_store("stock")


async def reserved_always_settles(shop: Peer, verdict: Verdict) -> None:
    """When no code can be had, the order ends and its goods are for sale again."""
    opening = await shop.stock()
    await shop.hiccup("create", "500")
    order = await shop.buy("one")
    reached(not order.payable, "a purchase without a code")
    await shop.wait(30)
    await shop.hiccup("create", None)
    await shop.wait(330)
    state, stock = await shop.state(order.order_id), await shop.stock()
    verdict.require(state == "ended", f"still {state}")
    verdict.require(stock == opening, f"{state}, and {stock.reserved} reserved for ever")


async def confirm_xor_release(shop: Peer, verdict: Verdict) -> None:
    """A reservation is sold or given back, one of the two, once; without one, neither."""
    opening = await shop.stock()
    await shop.reserve("sold")
    await shop.confirm("sold")
    await shop.release("sold")
    stock = await shop.stock()
    verdict.require(
        (stock.available, stock.sold) == (opening.available - 1, 1),
        f"sold and given back as well: {opening.total} in all became {stock.total}",
    )
    before = await shop.stock()
    await shop.release("never-reserved")
    verdict.require(await shop.stock() == before, "stock out of nothing: released, never reserved")
    before = await shop.stock()
    await shop.reserve("never-reserved")
    verdict.require(await shop.stock() == before, "reserved after its release, for nobody")
    before = await shop.stock()
    await shop.reserve("back")
    await shop.release("back")
    await shop.confirm("back")
    verdict.require(await shop.stock() == before, "sold after it was given back")


async def dedupe_full_history(shop: Peer, verdict: Verdict) -> None:
    """News that comes again changes nothing, whatever came in between."""
    order = await shop.buy("one")
    reached(await shop.pay(order.order_id), "a payment")
    await shop.wait(5)
    reached(await shop.state(order.order_id) == "paid", "a paid order")
    await shop.replay_news(order.order_id)
    await shop.wait(5)
    told = [event.kind for event in await shop.events(order.order_id) if event.topic == "orders"]
    verdict.require(told.count("PAID") == 1, f"became PAID {told.count('PAID')} times")
    stock = await shop.stock()
    verdict.require(stock.sold == 1, f"{stock.sold} sold")


async def paid_implies_confirmed(shop: Peer, verdict: Verdict) -> None:
    """An order is PAID only together with the goods."""
    order = await shop.buy("one")
    await shop.break_store("stock")
    reached(await shop.pay(order.order_id), "a payment")
    await shop.wait(OUTAGE_S)
    state, stock = await shop.state(order.order_id), await shop.stock()
    verdict.require(state == "open", f"{state} with {stock.sold} sold")
    await shop.mend_store("stock")
    await shop.wait(OUTAGE_S)
    state, stock = await shop.state(order.order_id), await shop.stock()
    verdict.require((state, stock.sold) == ("paid", 1), f"in the end {state}, {stock.sold} sold")


async def outbox_no_loss_no_ghost(shop: Peer, verdict: Verdict) -> None:
    """What was committed is told, also after the broker was away; what was not is never told."""
    await shop.break_store("bus")
    order = await shop.buy("loss")
    reached(await shop.pay(order.order_id), "a payment")
    await shop.wait(OUTAGE_S)
    reached(await shop.state(order.order_id) == "paid", "an order paid while the broker is away")
    await shop.mend_store("bus")
    await shop.wait(OUTAGE_S)
    told = [event.kind for event in await shop.events(order.order_id) if event.topic == "orders"]
    verdict.require("PAID" in told, f"PAID was never told: {told}")
    order = await shop.buy("ghost")
    await shop.break_store("orders")
    await shop.pay(order.order_id)
    await shop.wait(5)
    reached(await shop.state(order.order_id) == "open", "a commit that failed")
    told = [event.kind for event in await shop.events(order.order_id) if event.topic == "orders"]
    verdict.require("PAID" not in told, f"told {told} of a transaction that was rolled back")
    await shop.mend_store("orders")


async def no_false_alerts(shop: Peer, verdict: Verdict) -> None:
    """An order that went well raises no alert: saved by polling, or told of three times.

    Alert-service's own rules are applied to the events of both.
    """
    quiet = await shop.buy("told-often")
    reached(await shop.pay(quiet.order_id), "a payment")
    for _ in range(2):
        await shop.post_webhook(quiet.order_id)
    await shop.lose_webhooks()
    polled = await shop.buy("polled")
    reached(await shop.pay(polled.order_id), "a payment")
    await shop.wait(2 * OUTAGE_S)
    for order, why in ((quiet, "whose webhook came three times"), (polled, "saved by polling")):
        reached(await shop.state(order.order_id) == "paid", "a paid order")
        rules = raised(await shop.events(order.order_id))
        verdict.require(not rules, f"alert {', '.join(rules)} for an order {why}")


async def one_order_per_key(shop: Peer, verdict: Verdict) -> None:
    """Two clicks with one key are one order and one code."""
    first, again = await shop.buy("k"), await shop.buy("k")
    verdict.require(first.order_id == again.order_id, "two orders for one key")
    clicks = await asyncio.gather(*(shop.buy("both-at-once") for _ in range(2)))
    made = {click.order_id for click in clicks}
    verdict.require(len(made) == 1, "two orders for two clicks at once")
    codes = len(await shop.book())
    verdict.require(codes == 2, f"{codes} payable codes for two wishes")


async def idor_matrix(shop: Peer, verdict: Verdict) -> None:
    """Nobody sees or touches another customer's order: every route x every stranger."""
    order = await shop.buy("one")
    routes = await shop.private_routes(order.order_id)
    status, seen = await shop.ask("owner", *routes[0])
    reached(status == 200 and order.order_id in seen, "what the owner sees")
    for method, path in routes:
        status, seen = await shop.ask("other", method, path)
        shown = path.replace(order.order_id, "{id}")
        verdict.require(status == 404, f"{method} {shown} answers {status} to another customer")
        verdict.require("token" not in seen.lower(), f"{method} {shown} gives away the channel")
        status, _ = await shop.ask("nobody", method, path)
        verdict.require(status == 401, f"{method} {shown} answers {status} without a session")
    verdict.require(await shop.state(order.order_id) == "open", "a stranger changed the order")


async def safe_configuration(shop: Peer, verdict: Verdict) -> None:
    """Foreign pages, open ports, known passwords and talkative logs: closed unless opened."""
    evil = "https://evil.example"
    allowed = await shop.allowed_origin(evil)
    verdict.require(allowed not in ("*", evil), f"pages of any origin may read: {allowed}")
    verdict.require(not await shop.lets_socket_in(evil), "a page of any origin opens the socket")
    for service, status in (await shop.inside_without_token()).items():
        verdict.require(status in (401, 403), f"{service} answers {status} without a token")
    verdict.require(not await shop.starts_with_default_secrets(), "starts with known passwords")
    await shop.buy("one")
    log = await shop.log_text()
    reached(bool(log), "a log to read")
    for secret in await shop.secrets_of_owner():
        verdict.require(secret not in log, "the log knows sessions and e-mail addresses")


async def _money_agrees(shop: Peer, order_id: str, verdict: Verdict) -> None:
    state = await shop.state(order_id)
    kept = sum(code.kept for code in await shop.book() if code.order_id == order_id)
    owed = shop.price if state == "paid" else 0
    verdict.require(state != "open", "not final long after its deadline")
    verdict.require(kept == owed, f"{state}, and the shop keeps {kept} yen")


CHECKS: dict[str, Check] = {
    "X1": forged_webhook_never_pays,
    "X2": ack_only_after_commit,
    "X3": provider_hiccup_never_cancels,
    "X4": polling_is_fair,
    "X5": expiry_asks_provider_first,
    "X6": late_success_refunded_once,
    "X7": no_code_without_stock,
    "X8": reserved_always_settles,
    "X9": confirm_xor_release,
    "X10": dedupe_full_history,
    "X11": paid_implies_confirmed,
    "X12": outbox_no_loss_no_ghost,
    "X13": no_false_alerts,
    "X14": one_order_per_key,
    "X15": idor_matrix,
    "X16": safe_configuration,
}
