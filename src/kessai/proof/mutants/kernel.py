"""Mistakes in what every service stands on: inbox, outbox, keys, leases, the bus."""

from __future__ import annotations

from kessai.proof.mutants.patch import Edit, mutant

KERNEL = (
    mutant(
        "skip-the-inbox",
        "the bus delivers once anyway",
        "kernel/inbox.py",
        "    return (await tx.run(_REMEMBER, row)).rowcount == 1\n",
        "    await tx.run(_REMEMBER, row)\n    return True\n",
    ),
    mutant(
        "no-unique-idempotency-key",
        "the page disables its button",
        "kernel/idempotency.py",
        "    if (await tx.run(_BEGIN, row)).rowcount == 1:\n        return Began(subject_id)\n",
        "    await tx.run(_BEGIN, row)\n    if row:\n        return Began(subject_id)\n",
    ),
    mutant(
        "leave-a-failed-record",
        "one bad record must not stop the rest",
        "kernel/bus.py",
        "                    await self._give(record)\n",
        "                    try:\n                        await self._give(record)\n"
        "                    except Unknown:\n                        return True\n",
    ),
    mutant(
        "acknowledge-before-the-commit",
        "the consumer is faster when it does not wait",
        "order/web.py",
        "            await apply_payment_event(event)\n",
        "            asyncio.get_running_loop().create_task(apply_payment_event(event))\n",
        Edit(
            "order/web.py",
            "from __future__ import annotations\n",
            "from __future__ import annotations\n\nimport asyncio\n",
        ),
    ),
)
