"""Mistakes about asking: whether to ask the provider, when, and what its silence means."""

from __future__ import annotations

from kessai.proof.mutants.patch import Edit, mutant

_ATTEMPT = "payment/domain/attempt.py"
_CREATE = "payment/application/create.py"
_LOOK = "payment/application/look.py"
_SCHEDULE = "payment/domain/schedule.py"

ASKING = (
    mutant(
        "failed-on-timeout",
        "who does not answer has not made it",
        _CREATE,
        "            after = replace(current, status=AttemptStatus.UNKNOWN, "
        "version=current.version + 1)\n",
        "            after = replace(current, status=AttemptStatus.FAILED, "
        "version=current.version + 1,\n"
        '                error_code="PAYMENT_DECLINED",\n'
        "                ended_at_ms=self._books.clock.now_ms())\n",
    ),
    mutant(
        "expiry-by-our-clock",
        "the code has run out, and our clock is right",
        "payment/application/settle.py",
        "            next_ms = next_visit_ms(after,",
        "            if after.is_live and now_ms > (after.expires_at_ms or now_ms):\n"
        "                after = replace(after, status=AttemptStatus.EXPIRED, ended_at_ms=now_ms,\n"
        "                                version=before.version + 1)\n"
        "            next_ms = next_visit_ms(after,",
        Edit(
            "payment/application/settle.py",
            "from collections.abc import Awaitable, Callable, Sequence\n",
            "from collections.abc import Awaitable, Callable, Sequence\n"
            "from dataclasses import replace\n",
        ),
    ),
    mutant(
        "close-without-deleting",
        "nobody pays a code that was closed",
        _LOOK,
        '        return self._said(await self._provider.delete_code(attempt.code_id or ""))\n',
        '        return self._said("CODE_DELETED")\n',
    ),
    mutant(
        "webhook-answered-and-forgotten",
        "the poller finds it anyway",
        "payment/application/webhook.py",
        "            stored = await books.webhooks.add(tx, webhook)\n",
        "            stored = webhook.parked is not None and "
        "await books.webhooks.add(tx, webhook)\n",
    ),
)
