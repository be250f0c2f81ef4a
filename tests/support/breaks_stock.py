"""Stock, broken by hand; `{paid}` stands for the id of such an order."""

from __future__ import annotations

from tests.support.breaking import Break, sql

MOVEMENT = (
    "INSERT INTO stock_ledger (product_id, kind, cause_id, available_delta, reserved_delta,"
    " sold_delta, at_ms) SELECT product_id, kind, cause_id, available_delta, reserved_delta,"
    " sold_delta, at_ms FROM stock_ledger WHERE cause_id = '{paid}-1' AND kind = 'CONFIRM'"
)
LAX = "PRAGMA ignore_check_constraints = ON"


BREAKS = (
    Break(
        "I18",
        "less than nothing",
        db="storage",
        sql=sql(LAX, "UPDATE stock SET available = -1 WHERE product_id = 1001"),
        named="1001",
    ),
    Break(
        "I19",
        "one piece more",
        db="storage",
        sql=sql(
            "UPDATE stock SET available = available + 1, on_hand = on_hand + 1"
            " WHERE product_id = 1001"
        ),
        named="1001",
    ),
    Break(
        "I19",
        "on hand is not its parts",
        db="storage",
        sql=sql(LAX, "UPDATE stock SET on_hand = 1 WHERE product_id = 1001"),
        named="1001",
    ),
    Break(
        "I20",
        "a doubled stock movement",
        db="storage",
        sql=sql("DROP INDEX ux_ledger_cause", MOVEMENT),
    ),
    Break(
        "I20",
        "released and confirmed",
        db="storage",
        sql=sql(
            "UPDATE stock_ledger SET kind = 'RELEASE' WHERE cause_id = '{paid}-1'"
            " AND kind = 'CONFIRM'"
        ),
    ),
    Break("I20", "reserved for ever", named="{waiting}", later_s=3600),
    Break(
        "I21",
        "PAID and not sold",
        db="storage",
        sql=sql("UPDATE reservation SET status = 'RELEASED' WHERE reservation_id = '{paid}-1'"),
    ),
    Break(
        "I21",
        "FAILED and sold",
        db="storage",
        sql=sql(
            "UPDATE reservation SET status = 'CONFIRMED' WHERE reservation_id = '{cancelled}-1'"
        ),
        named="{cancelled}",
    ),
    Break(
        "I21",
        "refunded, and the goods never came back",
        db="storage",
        sql=sql("DELETE FROM restock WHERE reservation_id = '{refunded}-1'"),
        named="{refunded}",
        later_s=3600,
    ),
    Break(
        "I22",
        "a release without a reservation moved stock",
        db="storage",
        sql=sql("UPDATE reservation SET lines = '' WHERE reservation_id = '{cancelled}-1'"),
        named="{cancelled}",
    ),
    Break(
        "I22",
        "a movement without a cause",
        db="storage",
        sql=sql(
            "UPDATE stock_ledger SET cause_id = 'nothing' WHERE cause_id = '{paid}-1'"
            " AND kind = 'CONFIRM'"
        ),
        named="nothing",
    ),
    Break(
        "I23",
        "more was sold than there was",
        db="storage",
        sql=sql("UPDATE stock SET sold = sold + 1 WHERE product_id = 1001"),
        named="1001",
    ),
    Break(
        "I23",
        "a piece lies idle",
        db="storage",
        sql=sql("UPDATE reservation SET status = 'RELEASED' WHERE reservation_id = '{waiting}-1'"),
        named="1001",
    ),
)
