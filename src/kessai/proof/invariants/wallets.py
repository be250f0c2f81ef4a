"""Wallets: each is the sum of its movements, read in one snapshot, a page of users at a time; and
the hold of an order, which is its wallet's side."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, func, select, table

from kessai.kernel.db import Row, Tx
from kessai.proof.invariants.books import Look
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.names import of_hold
from kessai.proof.invariants.rows import OrderRow, WalletRow
from kessai.proof.invariants.span import END
from kessai.proof.invariants.sql import Statement, col, cols, made, rows_of
from kessai.proof.invariants.story import Story

_PAGE = 500
WAS_PAID = ("PAID", "REFUNDING", "REFUNDED")
# The first has no cause but the wallet itself.
_KINDS = ("OPENING", "CREDIT", "HOLD", "CAPTURE", "RELEASE")
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
_OWNERS: Statement = select(col("user_id")).select_from(table("user_account")).where(*_OF_THESE)
_MOVES = table("balance_ledger", *cols("id", "user_id", "kind", "cause_id"))
_HOLD = table("hold", *cols("hold_id", "user_id"))
_CREDIT = table("credit", *cols("credit_id", "user_id"))
_CAUSELESS: Statement = (
    select(_MOVES)
    .outerjoin_from(_MOVES, _HOLD, _HOLD.c.hold_id == _MOVES.c.cause_id)
    .outerjoin(_CREDIT, _CREDIT.c.credit_id == _MOVES.c.cause_id)
    .where(
        _MOVES.c.user_id > bindparam("after"),
        _MOVES.c.user_id <= bindparam("last"),
        _MOVES.c.cause_id != _MOVES.c.user_id,
        and_(_HOLD.c.hold_id.is_(None), _CREDIT.c.credit_id.is_(None)),
    )
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


def hold_agrees(story: Story, order: OrderRow, limits: Limits, tally: Tally) -> None:
    """The hold is the wallet's side of the order: captured with PAID, given back with FAILED."""
    for hold in story.holds:
        for why in of_hold(hold, order):
            tally.wrong(hold.hold_id, why, hold)
        if hold.status != "RELEASED" and hold.amount != order.amount:
            tally.wrong(hold.hold_id, f"holds {hold.amount} for {order.amount}", hold)
    statuses = [hold.status for hold in story.holds]
    given_back = any(one.status != "REJECTED" for one in story.wanted)
    if order.status in WAS_PAID and statuses != ["CAPTURED"]:
        why = f"{order.status} and the wallet's hold is {statuses}"
        if statuses == ["HELD"]:
            tally.unsettled(order.order_id, why, order, order.paid_at_ms, limits.step_s)
        else:
            tally.wrong(order.order_id, why, order)
    elif order.status == "FAILED" and "HELD" in statuses:
        why = "FAILED and the wallet's hold has no end"
        tally.unsettled(order.order_id, why, order, order.updated_at_ms, limits.step_s)
    elif order.status == "FAILED" and "CAPTURED" in statuses and not given_back:
        tally.wrong(order.order_id, "FAILED, and the wallet paid and got nothing back", order)


async def wallets_are_their_movements(look: Look, tally: Tally) -> None:
    """Each wallet has an owner and is the sum of its movements, which are those of its holds and
    credits, and is never below zero."""
    after, more = "", True
    while more:
        async with look.books.account.read() as tx:
            wallets = made(WalletRow, await tx.run(_WALLETS, {"after": after}))
            more = len(wallets) == _PAGE
            of = {"after": after, "last": wallets[-1].user_id if more else END}
            moved = {
                (row["user_id"], row["kind"]): (int(row["available"]), int(row["held"]))
                for row in (await tx.run(_MOVED, of)).all()
            }
            caused = await _caused(tx, of)
            owners = {user_id for (user_id,) in (await tx.run(_OWNERS, of)).tuples()}
            causeless = (await tx.run(_CAUSELESS, of)).all()
        there = {wallet.user_id: wallet for wallet in wallets}
        for user_id in dict.fromkeys(user for user, _ in (*moved, *caused)):
            if user_id not in there:
                tally.wrong(user_id, "money was moved, and there is no wallet")
        for wallet in wallets:
            tally.checked += 1
            if wallet.user_id not in owners:
                tally.wrong(wallet.user_id, "a wallet of nobody", wallet)
            _is_its_movements(wallet, moved, caused, tally)
        for row in causeless:
            why = f"{row['kind']} {row['id']} without a hold or credit that is on record"
            tally.wrong(row["user_id"], why, row)
        after = of["last"]


def _is_its_movements(wallet: WalletRow, moved: _Sums, caused: _Sums, tally: Tally) -> None:
    counts = (wallet.available, wallet.held)
    mine = [moved.get((wallet.user_id, kind), (0, 0)) for kind in _KINDS]
    total = (sum(one for one, _ in mine), sum(one for _, one in mine))
    if counts != total or min(counts) < 0:
        why = f"the wallet has {counts}, its movements make {total}"
        tally.wrong(wallet.user_id, why, wallet)
    for kind in _KINDS[1:]:
        key = (wallet.user_id, kind)
        due, was = caused.get(key, (0, 0)), moved.get(key, (0, 0))
        if due != was:
            why = f"{kind} moved {was} (available, held), and should have moved {due}"
            tally.wrong(wallet.user_id, why, wallet)


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
