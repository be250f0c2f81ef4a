"""The provider's files of a day, as payment-service has compared them with the ledger."""

from __future__ import annotations

from kessai.proof.invariants.books import Look
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.rows import SettlementRow
from kessai.proof.invariants.sql import Statement, cols, made, rows_of

# The newest days; what is older was looked at when it was new.
_DAYS = 400

_REPORTS: Statement = (
    rows_of(SettlementRow, "settlement_run").order_by(*(col.desc() for col in cols("day")))
).limit(_DAYS * 10)


async def files_agree(look: Look, tally: Tally) -> None:
    """The newest report on the provider's file of each day has no difference to the ledger: no
    row is missing on either side, differs, is there twice or cannot be read."""
    async with look.books.payment.read() as tx:
        rows = made(SettlementRow, await tx.run(_REPORTS))
    newest: dict[str, SettlementRow] = {}
    for row in rows:
        before = newest.get(row.day)
        if before is None or row.ended_at_ms > before.ended_at_ms:
            newest[row.day] = row
    for row in newest.values():
        tally.checked += row.file_rows
        counts = {
            name: getattr(row, name)
            for name in ("missing_here", "missing_there", "differing", "duplicates", "broken")
        }
        if any(counts.values()):
            words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
            tally.wrong(row.day, f"the file of {row.day}: {words}", row)
