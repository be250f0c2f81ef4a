"""Wallets: each is the sum of its movements, read in one snapshot, a page of users at a time."""

from __future__ import annotations

from sqlalchemy import bindparam, func, select, table

from kessai.proof.invariants.books import Look
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.rows import WalletRow
from kessai.proof.invariants.sql import Statement, col, made, rows_of

_PAGE = 500

_WALLETS: Statement = (
    rows_of(WalletRow, "wallet")
    .where(col("user_id") > bindparam("after"))
    .order_by(col("user_id"))
    .limit(_PAGE)
)
_SUMS: Statement = (
    select(
        col("user_id"),
        func.sum(col("available_delta")).label("available"),
        func.sum(col("held_delta")).label("held"),
    )
    .select_from(table("balance_ledger"))
    .where(col("user_id") > bindparam("after"), col("user_id") <= bindparam("last"))
    .group_by(col("user_id"))
)
_HELD: Statement = (
    select(col("user_id"), func.sum(col("amount")).label("held"))
    .select_from(table("hold"))
    .where(
        col("status") == "HELD",
        col("user_id") > bindparam("after"),
        col("user_id") <= bindparam("last"),
    )
    .group_by(col("user_id"))
)


async def wallets_are_their_movements(look: Look, tally: Tally) -> None:
    """Each wallet is the sum of its movements, holds exactly what its open holds say, and is
    never below zero."""
    after = ""
    while True:
        async with look.books.account.read() as tx:
            wallets = made(WalletRow, await tx.run(_WALLETS, {"after": after}))
            if not wallets:
                return
            of = {"after": after, "last": wallets[-1].user_id}
            sums = {
                row["user_id"]: (int(row["available"]), int(row["held"]))
                for row in (await tx.run(_SUMS, of)).all()
            }
            held = {row["user_id"]: int(row["held"]) for row in (await tx.run(_HELD, of)).all()}
        for wallet in wallets:
            tally.checked += 1
            counts = (wallet.available, wallet.held)
            moved = sums.get(wallet.user_id, (0, 0))
            if counts != moved or min(counts) < 0:
                why = f"the wallet has {counts}, its movements make {moved}"
                tally.wrong(wallet.user_id, why, wallet)
            elif wallet.held != held.get(wallet.user_id, 0):
                why = f"holds {wallet.held}, its open holds {held.get(wallet.user_id, 0)}"
                tally.wrong(wallet.user_id, why, wallet)
        after = wallets[-1].user_id
