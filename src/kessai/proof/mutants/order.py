"""Mistakes about the order: who decides, when it ends, and what becomes of late money."""

from __future__ import annotations

from kessai.proof.mutants.patch import mutant

_NEWS = "order/application/news.py"

ORDER = (
    mutant(
        "last-event-id-only",
        "the last id is enough to see a repeat",
        _NEWS,
        "            if not await first_time(tx, CONSUMER, event.event_id, now_ms):\n"
        "                return\n"
        "            order = await self._orders.find(tx, event.order_id)\n",
        "            order = await self._orders.find(tx, event.order_id)\n"
        "            if order and order.payment_last_event_id == event.event_id:\n"
        "                return\n",
    ),
    mutant(
        "no-answer-is-a-no",
        "a step that times out has failed",
        "order/application/steps.py",
        '        return {"refusal": refused.code, "facts": dict(refused.facts)}\n',
        '        return {"refusal": refused.code, "facts": dict(refused.facts)}\n'
        "    except Unknown:\n"
        "        if not finals:\n"
        "            raise\n"
        '        return {"refusal": finals[0]}\n',
    ),
    mutant(
        "paid-without-the-goods",
        "the money is there, the stock will follow",
        "order/application/steps.py",
        '        return await _ask(call, "RESERVATION_RELEASED", "NOT_FOUND")\n',
        "        try:\n"
        '            return await _ask(call, "RESERVATION_RELEASED", "NOT_FOUND")\n'
        "        except Unknown:\n"
        "            return {}\n",
    ),
    mutant(
        "price-of-one",
        "a line is a product",
        "order/application/purchase.py",
        "            amount=yen(quoted.amount),\n",
        "            amount=yen(sum(line.unit_price for line in quoted.lines)),\n",
    ),
    mutant(
        "audit-only-of-moves",
        "who needs the small print",
        "order/application/journal.py",
        "            await self._audit.append(tx, entries)\n",
        "            if moved := [one for one in entries if one.to_status]:\n"
        "                await self._audit.append(tx, moved)\n",
    ),
    mutant(
        "a-change-without-its-event",
        "the page asks anyway",
        "order/application/journal.py",
        "        for moved in moves:\n            changed",
        "        for moved in moves[:1] if order.version < 3 else ():\n            changed",
    ),
    mutant(
        "paid-whatever-comes-back",
        "a refund is only a note",
        "order/domain/news.py",
        "    if order.status is OrderStatus.PAID:\n"
        "        change = change.to(OrderStatus.REFUNDING)\n"
        "    if change.after.status is OrderStatus.REFUNDING:\n"
        "        change = change.to(OrderStatus.REFUNDED)\n",
        "",
    ),
    mutant(
        "reserved-for-ever",
        "the deadline will free it some day",
        "order/statelang/order_create_saga.json",
        '      "CompensateState": "ReleaseStock",\n',
        "",
    ),
    mutant(
        "nobody-watches-the-deadline",
        "carts are abandoned, so what",
        "order/gateway/orders.py",
        '    .where(UNDECIDED, _o.hold_until_ms <= bindparam("now_ms"), _o.closing == "")\n',
        '    .where(UNDECIDED, _o.hold_until_ms <= bindparam("now_ms"), _o.closing == "?")\n',
    ),
)
