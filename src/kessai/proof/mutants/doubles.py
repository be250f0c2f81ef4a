"""Mistakes about who writes, how often, and in which order: locks, fences, keys, outboxes."""

from __future__ import annotations

from kessai.proof.mutants.patch import mutant

_IDEMPOTENCY = "kernel/idempotency.py"
_LEASES = "kernel/leases.py"
_OUTBOX = "kernel/outbox.py"
_RESERVATIONS = "storage/application/reservations.py"

DOUBLES = (
    mutant(
        "drop-the-row-lock",
        "two writers at once are a theory",
        "order/gateway/orders.py",
        '        _o.version == bindparam("of_version"),\n'
        '        _o.view_version == bindparam("of_view"),\n',
        '        bindparam("of_version") >= 0,\n        bindparam("of_view") >= 0,\n',
    ),
    mutant(
        "outbox-newest-first",
        "the newest news matters most",
        _OUTBOX,
        '    .order_by(OUTBOX.c.id)\n    .limit(bindparam("limit"))\n)\n_MARK',
        '    .order_by(OUTBOX.c.id.desc())\n    .limit(bindparam("limit"))\n)\n_MARK',
    ),
    mutant(
        "sent-before-it-is-sent",
        "so it is never sent twice",
        _OUTBOX,
        "        reached(self._points[0])\n        await self._bus.publish(",
        "        async with self._db.transaction() as tx:\n"
        '            of = {"ids": tuple(row["id"] for row in rows),\n'
        '                  "now_ms": self._clock.now_ms()}\n'
        "            await tx.run(_MARK, of)\n"
        "        reached(self._points[0])\n        await self._bus.publish(",
    ),
    mutant(
        "other-body-same-key",
        "the key is the key",
        _IDEMPOTENCY,
        '    if found["request_hash"] != request_hash:\n',
        '    if found["request_hash"] is None:\n',
    ),
    mutant(
        "release-forgets",
        "there was nothing to release",
        _RESERVATIONS,
        "            if await self._book.add(tx, empty, now_ms):\n"
        "                return _answer(empty)\n",
        "            if await self._book.get(tx, command.reservation_id) is None:\n"
        "                return _answer(empty)\n",
    ),
    mutant(
        "some-of-the-lines",
        "what is there is there",
        _RESERVATIONS,
        "        movements = reserving(asked.lines, asked.reservation_id)\n",
        "        movements = reserving(asked.lines[:1], asked.reservation_id)\n",
    ),
)
