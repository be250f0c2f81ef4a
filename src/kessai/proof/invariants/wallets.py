"""Wallets: each is the sum of its movements, read in one snapshot, a page of users at a time."""

from __future__ import annotations

from sqlalchemy import bindparam, func, select, table

from kessai.kernel.db import Row, Tx
from kessai.proof.invariants.books import Look
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.rows import WalletRow
from kessai.proof.invariants.sql import Statement, col, cols, made, rows_of

_PAGE = 500
# What was moved for a cause that is one of these rows, and nothing else was.
_Sums = dict[tuple[str, str], tuple[int, int]]

_WALLETS: Statement = (
    rows_of(WalletRow, "wallet")
    .where(col("user_id") > bindparam("after"))
    .order_by(col("user_id"))
    .limit(_PAGE)
)
_OF_THESE = (col("user_id") > bindparam("after"), col("user_id") <= bindparam("last"))
_MOVED: Statement = (
    select(
        *cols("user_id", "kind"),
        func.sum(col("available_delta")).label("available"),
        func.sum(col("held_delta")).label("held"),
    )
    .select_from(table("balance_ledger"))
    .where(*_OF_THESE)
    .group_by(*cols("user_id", "kind"))
)
_HOLDS: Statement = (
    select(*cols("user_id", "status"), func.sum(col("amount")).label("yen"))
    .select_from(table("hold"))
    .where(*_OF_THESE)
    .group_by(*cols("user_id", "status"))
)
_CREDITS: Statement = (
    select(col("user_id"), func.sum(col("amount")).label("yen"))
    .select_from(table("credit"))
    .where(*_OF_THESE)
    .group_by(col("user_id"))
)
_REFUNDS: Statement = (
    select(*cols("refund_id", "amount", "status", "requested_at_ms"))
    .select_from(table("order_refund"))
    .where(
        col("refund_id") > bindparam("after"),
        col("order_id").in_(
            select(col("order_id")).select_from(table("orders")).where(col("method") == "BALANCE")
        ),
    )
    .order_by(col("refund_id"))
    .limit(_PAGE)
)
_CREDITED: Statement = (
    select(*cols("credit_id", "amount"))
    .select_from(table("credit"))
    .where(col("credit_id").in_(bindparam("ids", expanding=True)))
)


async def wallets_are_their_movements(look: Look, tally: Tally) -> None:
    """Each wallet is the sum of its movements, which are those of its holds and credits, and is
    never below zero."""
    after = ""
    while True:
        async with look.books.account.read() as tx:
            wallets = made(WalletRow, await tx.run(_WALLETS, {"after": after}))
            if not wallets:
                return
            of = {"after": after, "last": wallets[-1].user_id}
            moved = {
                (row["user_id"], row["kind"]): (int(row["available"]), int(row["held"]))
                for row in (await tx.run(_MOVED, of)).all()
            }
            caused = await _caused(tx, of)
        for wallet in wallets:
            tally.checked += 1
            counts = (wallet.available, wallet.held)
            mine = {kind: sums for (user, kind), sums in moved.items() if user == wallet.user_id}
            total = (sum(one for one, _ in mine.values()), sum(one for _, one in mine.values()))
            if counts != total or min(counts) < 0:
                why = f"the wallet has {counts}, its movements make {total}"
                tally.wrong(wallet.user_id, why, wallet)
            for kind in ("HOLD", "CAPTURE", "RELEASE", "CREDIT"):
                due, was = caused.get((wallet.user_id, kind), (0, 0)), mine.get(kind, (0, 0))
                if due != was:
                    why = f"{kind} moved {was} (available, held), and should have moved {due}"
                    tally.wrong(wallet.user_id, why, wallet)
        after = wallets[-1].user_id


async def _caused(tx: Tx, of: dict[str, str]) -> _Sums:
    found: _Sums = {}
    for row in (await tx.run(_HOLDS, of)).all():
        user, yen = row["user_id"], int(row["yen"])
        _add(found, (user, "HOLD"), (-yen, yen))
        if row["status"] == "CAPTURED":
            _add(found, (user, "CAPTURE"), (0, -yen))
        elif row["status"] == "RELEASED":
            _add(found, (user, "RELEASE"), (yen, -yen))
    for row in (await tx.run(_CREDITS, of)).all():
        _add(found, (row["user_id"], "CREDIT"), (int(row["yen"]), 0))
    return found


def _add(sums: _Sums, key: tuple[str, str], more: tuple[int, int]) -> None:
    available, held = sums.get(key, (0, 0))
    sums[key] = (available + more[0], held + more[1])


async def refunds_reach_the_wallet(look: Look, tally: Tally) -> None:
    """What is given back of a wallet's payment is credited to a wallet, once and whole."""
    after = ""
    while True:
        async with look.books.order.read() as tx:
            refunds = (await tx.run(_REFUNDS, {"after": after})).all()
        if not refunds:
            return
        ids = [row["refund_id"] for row in refunds]
        async with look.books.account.read() as tx:
            found = (await tx.run(_CREDITED, {"ids": ids})).all()
        credited = {row["credit_id"]: int(row["amount"]) for row in found}
        for refund in refunds:
            tally.checked += 1
            _is_credited(refund, credited.get(refund["refund_id"]), tally)
        after = ids[-1]


def _is_credited(refund: Row, credited: int | None, tally: Tally) -> None:
    name, status, amount = refund["refund_id"], refund["status"], refund["amount"]
    if credited is not None and credited != amount:
        tally.wrong(name, f"{amount} goes back, the wallet got {credited}", refund)
    elif status == "COMPLETED" and credited is None:
        tally.wrong(name, "COMPLETED, and no wallet got it", refund)
