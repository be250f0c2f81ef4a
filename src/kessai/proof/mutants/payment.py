"""Mistakes about money at the provider: believing, guessing, doubling, forgetting."""

from __future__ import annotations

from kessai.proof.mutants.patch import Edit, mutant

_ATTEMPT = "payment/domain/attempt.py"
_SCHEDULE = "payment/domain/schedule.py"
_PLAN = "payment/domain/plan.py"
_REFUND = "payment/application/refund.py"

PAYMENT = (
    mutant(
        "trust-the-webhook",
        "it comes from the provider's address",
        "payment/domain/evidence.py",
        "        return self.source is not Source.WEBHOOK\n",
        "        return True\n",
        Edit(
            _ATTEMPT,
            "    return _CHANNELS[first.source]\n",
            '    return _CHANNELS.get(first.source, "webhook")\n',
        ),
    ),
    mutant(
        "refused-on-timeout",
        "no answer to a create means no code",
        "payment/application/create.py",
        "            raise await self._remember_unknown(attempt, unknown) from unknown\n"
        "        return await self._record(attempt, code)\n",
        "            code_, why = unknown.code, unknown.message\n"
        "            raise await self._refuse(attempt, code_, why) from unknown\n"
        "        return await self._record(attempt, code)\n",
    ),
    mutant(
        "another-code-while-one-may-live",
        "the answer was lost, so ask for a new one",
        _PLAN,
        "        return Plan(Do.WAIT if mine.lost else Do.AGAIN, mine)\n",
        "        return Plan(Do.BEGIN, _begin(command, attempts, now_ms, rules))\n",
    ),
    mutant(
        "release-without-asking",
        "the deadline has passed, that is all there is to know",
        "payment/application/close.py",
        "        if any(one.is_live for one in attempts):\n            raise",
        "        if not attempts:\n            raise",
    ),
    mutant(
        "stop-asking-at-the-expiry",
        "after that there is nothing to learn",
        _SCHEDULE,
        "        is_hasty = now_ms < mark_ms + HASTE_FOR_MS\n",
        "        return None\n        is_hasty = now_ms < mark_ms + HASTE_FOR_MS\n",
    ),
    mutant(
        "the-first-five-are-polled",
        "a limit keeps the provider happy",
        "kernel/leases.py",
        '            .order_by(due_at, rows)\n            .limit(bindparam("limit"))\n',
        "            .where(rows.in_(select(rows).order_by(rows).limit(5)))\n"
        '            .where(bindparam("limit") > 0)\n',
    ),
    mutant(
        "ledger-without-refunds",
        "the provider keeps the books",
        _REFUND,
        "    await books.ledger.refund(tx, done, now_ms)\n",
        "",
    ),
    mutant(
        "ledger-of-half-an-entry",
        "rounding, probably",
        "payment/gateway/money.py",
        "            _entry(CAPTURE, (attempt.id, str(attempt.version)), amount_yen, at_ms),\n",
        "            _entry(CAPTURE, (attempt.id, str(attempt.version)), amount_yen // 2, at_ms)"
        ",\n",
    ),
    mutant(
        "money-without-an-event",
        "somebody will poll",
        "payment/application/settle.py",
        "        if event := change_event(before, after, now_ms, channel):\n",
        "        event = change_event(before, after, now_ms, channel)\n"
        "        if event and not after.captured_yen:\n",
    ),
    mutant(
        "refund-under-a-new-id-each-time",
        "the first one got no answer",
        _REFUND,
        "            refund_id=refund.id,\n",
        '            refund_id=f"{refund.id[:20]}-{refund.tries}",\n',
    ),
)
