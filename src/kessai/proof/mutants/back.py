"""Mistakes about money that has to go back, or should never have come."""

from __future__ import annotations

from kessai.proof.mutants.patch import Edit, mutant

_NEWS = "order/domain/news.py"
_PURCHASE = "order/application/purchase.py"
_REFUND = "payment/application/refund.py"
_REFUNDING = "order/application/refunding.py"

BACK = (
    mutant(
        "refund-id-by-time",
        "a new request is a new refund",
        _REFUNDING,
        "            refund_id=refund_id(wanted.merchant_payment_id, wanted.key),\n",
        '            refund_id=refund_id(wanted.merchant_payment_id, f"{wanted.key}:{now_ms}"),\n',
    ),
    mutant(
        "price-from-the-client",
        "the page has just shown it",
        _PURCHASE,
        "            amount=yen(quoted.amount),\n",
        "            amount=yen(command.expected_amount or quoted.amount),\n",
        Edit(
            _PURCHASE,
            "        price_refusal = _price_changed(command, quoted)\n",
            "        price_refusal = None\n",
        ),
    ),
    mutant(
        "charge-what-the-page-showed",
        "the customer agreed to this price",
        _PURCHASE,
        '            "amount": order.amount,\n            "description"',
        '            "amount": command.expected_amount or order.amount,\n            "description"',
        Edit(
            _PURCHASE,
            "        price_refusal = _price_changed(command, quoted)\n",
            "        price_refusal = None\n",
        ),
    ),
    mutant(
        "unit-price-from-the-client",
        "the cart knows its prices",
        _PURCHASE,
        "        items = tuple(OrderItem.model_construct(**dict(line)) for line in quoted.lines)\n",
        "        asked = command.expected_amount or quoted.amount\n"
        "        quoted = quoted.model_copy(update={'amount': asked, 'lines': tuple(\n"
        "            one.model_copy(update={'unit_price': asked // one.quantity})\n"
        "            for one in quoted.lines)}) if len(quoted.lines) == 1 else quoted\n"
        "        items = tuple(OrderItem.model_construct(**dict(line)) for line in quoted.lines)\n",
        Edit(
            _PURCHASE,
            "        price_refusal = _price_changed(command, quoted)\n",
            "        price_refusal = None\n",
        ),
    ),
    mutant(
        "late-success-is-ignored",
        "the order is over, whatever is paid",
        _NEWS,
        "    return Verdict(change, refund=RefundWanted("
        "news.merchant_payment_id, news.amount, reason))\n",
        "    return Verdict(change)\n",
    ),
    mutant(
        "late-success-pays-a-failed-order",
        "the customer has paid, so let him have it",
        _NEWS,
        "    reason = RefundReason.LATE_SUCCESS\n    if order.decision is Decision.SETTLE:\n",
        "    if order.decision is Decision.FAIL:\n"
        "        return Verdict(change.put(paid_attempt=news.merchant_payment_id), settle=True)\n"
        "    reason = RefundReason.LATE_SUCCESS\n"
        "    if order.decision is Decision.SETTLE:\n",
    ),
    mutant(
        "more-back-than-is-left",
        "payment-service will refuse it",
        "order/domain/news.py",
        "    return order.amount - max(order.refunded_amount, asked_yen)\n",
        "    return order.amount\n",
        Edit(
            "payment/domain/refund.py",
            "    if amount > free_yen:\n",
            "    if amount > attempt.captured_yen:\n",
        ),
    ),
    mutant(
        "ignoring-the-amount",
        "paid is paid",
        "payment/domain/attempt.py",
        "    fitting = [one for one in captures if one.amount_yen == attempt.amount_yen and "
        "_in_yen(one)]\n",
        "    fitting = captures\n",
    ),
    mutant(
        "hold-is-kept",
        "it frees itself some day",
        "order/statelang/reduce_inventory_and_balance.json",
        '      "CompensateState": "ReleaseHold",\n',
        "",
    ),
)
