"""Mistakes of those at its side: stock that is counted wrongly, and wallets."""

from __future__ import annotations

from kessai.proof.mutants.patch import mutant

_RESERVATIONS = "storage/application/reservations.py"
_STOCK = "storage/gateway/stock.py"
_ACCOUNT = "account/application.py"

SIDES = (
    mutant(
        "sell-what-is-not-there",
        "the count was fine a moment ago",
        _RESERVATIONS,
        "        if short := await self._stock.move(tx, movements, now_ms):\n"
        "            raise out_of_stock("
        "asked.lines, short, await self._stock.available(tx, short))\n",
        "        await self._stock.move(tx, movements, now_ms)\n",
    ),
    mutant(
        "release-and-confirm",
        "the two have nothing to do with each other",
        _STOCK,
        '    .where(_OF_RESERVATION, RESERVATION.c.status == bindparam("open_status"))\n',
        '    .where(_OF_RESERVATION, bindparam("open_status") != bindparam("end_status"))\n',
    ),
    mutant(
        "restock-twice",
        "it came back, so put it back",
        _RESERVATIONS,
        "            if await self._book.add_restock(tx, asked, command.reason, now_ms):\n",
        "            if await self._book.add_restock(tx, asked, command.reason, now_ms) or True:\n",
    ),
    mutant(
        "movement-without-a-row",
        "the sum is what counts",
        "storage/application/reservations.py",
        "                await self._certainly("
        "tx, releasing(known.lines, known.reservation_id), now_ms)\n",
        "                pass\n",
    ),
)
