"""Codes, orders and their audit, broken by hand; `{paid}` stands for the id of such an order."""

from __future__ import annotations

from tests.support.breaking import Break, Only, a_code, sql

BREAKS = (
    Break("I9", "two codes could be paid", added=a_code("{waiting}-2"), named="{waiting}"),
    Break(
        "I9",
        "two attempts are live",
        db="payment",
        sql=sql("UPDATE attempt SET status = 'AWAITING' WHERE order_id = '{retried}'"),
        named="{retried}",
    ),
    Break(
        "I10",
        "the code of a cancelled order was not deleted",
        provider=Only(
            "{cancelled}", lambda row: row._replace(is_offered=True, expires_at_ms=1 << 50)
        ),
        named="{cancelled}",
        later_s=600,
    ),
    Break(
        "I10",
        "an attempt is live and its order has ended",
        db="payment",
        sql=sql("UPDATE attempt SET status = 'UNKNOWN' WHERE order_id = '{cancelled}'"),
        named="{cancelled}",
        later_s=600,
    ),
    Break(
        "I11",
        "a code without stock",
        db="storage",
        sql=sql("DELETE FROM reservation WHERE reservation_id = '{paid}-1'"),
    ),
    Break(
        "I11",
        "a code for less than was reserved",
        db="storage",
        sql=sql("UPDATE reservation SET lines = '1001:1' WHERE reservation_id = '{paid}-1'"),
    ),
    Break("I11", "a code that nobody asked for", added=a_code("{paid}-7"), named="{paid}-7"),
    Break(
        "I12",
        "stock is released while a code lives",
        db="storage",
        sql=sql(
            "UPDATE reservation SET status = 'RELEASED', ended_at_ms = 1"
            " WHERE reservation_id = '{waiting}-1'"
        ),
        named="{waiting}",
    ),
    Break(
        "I12",
        "a code that outlives everything",
        db="payment",
        sql=sql("UPDATE attempt SET expires_at_ms = 1 << 50 WHERE order_id = '{waiting}'"),
        named="{waiting}",
    ),
    Break("I13", "an order that never ends", named="{waiting}", later_s=3600),
    Break(
        "I13",
        "a refund that never ends",
        sql=sql("UPDATE orders SET status = 'REFUNDING' WHERE order_id = '{refunded}'"),
        named="{refunded}",
        later_s=3600,
    ),
    Break(
        "I14",
        "an illegal move",
        sql=sql(
            "UPDATE order_audit SET to_status = 'REFUNDED' WHERE order_id = '{paid}'"
            " AND to_status = 'WAITING_PAYMENT'"
        ),
    ),
    Break(
        "I14",
        "a status that is no move's end",
        sql=sql("UPDATE orders SET status = 'FAILED' WHERE order_id = '{paid}'"),
    ),
    Break(
        "I14",
        "FAILED for no reason",
        sql=sql("UPDATE orders SET reason = NULL WHERE order_id = '{cancelled}'"),
        named="{cancelled}",
    ),
    Break(
        "I15",
        "a key names an order that is not there",
        sql=sql("UPDATE idempotency SET subject_id = 'gone' WHERE subject_id = '{paid}'"),
        named="gone",
    ),
    Break(
        "I15",
        "two keys name one order",
        sql=sql("UPDATE idempotency SET subject_id = '{paid}' WHERE subject_id = '{polled}'"),
    ),
    Break(
        "I15",
        "a key of somebody else",
        sql=sql("UPDATE orders SET user_id = 'somebody' WHERE order_id = '{paid}'"),
    ),
    Break(
        "I15",
        "a cart names an order that is not there",
        sql=sql("UPDATE order_cart SET order_id = 'gone' WHERE order_id = '{abandoned}'"),
        named="gone",
    ),
    Break(
        "I15",
        "a cart and a key name one order",
        sql=sql("UPDATE order_cart SET order_id = '{paid}' WHERE order_id = '{abandoned}'"),
    ),
    Break(
        "I16",
        "a version too many",
        sql=sql("UPDATE orders SET version = version + 1 WHERE order_id = '{paid}'"),
    ),
    Break(
        "I17",
        "cancelled, and nobody asked",
        db="payment",
        sql=sql("DELETE FROM evidence WHERE attempt_id = '{cancelled}-1'"),
        named="{cancelled}",
    ),
    Break(
        "I17",
        "cancelled while its code could be paid",
        db="payment",
        sql=sql(
            "DELETE FROM evidence WHERE attempt_id = '{cancelled}-1' AND word LIKE 'CODE_%'"
            " AND word <> 'CODE_CREATED'"
        ),
        named="{cancelled}",
    ),
    Break(
        "I17",
        "given up as refused, and its code exists",
        db="payment",
        sql=sql(
            "UPDATE attempt SET error_code = 'PAYMENT_UNAVAILABLE', code_id = NULL,"
            " status = 'FAILED' WHERE id = '{cancelled}-1'"
        ),
        named="{cancelled}",
    ),
    Break(
        "I28",
        "a deleted audit row",
        sql=sql("DELETE FROM order_audit WHERE order_id = '{paid}' AND sequence = 3"),
        also=("I29",),
    ),
    Break(
        "I28",
        "the last audit row is deleted",
        sql=sql(
            "DELETE FROM order_audit WHERE order_id = '{paid}' AND sequence ="
            " (SELECT max(sequence) FROM order_audit WHERE order_id = '{paid}')"
        ),
        also=("I29",),
    ),
    Break(
        "I28",
        "nobody did it",
        sql=sql("UPDATE order_audit SET cause = '' WHERE order_id = '{paid}'"),
    ),
    Break(
        "I29",
        "an edited audit row",
        sql=sql(
            "UPDATE order_audit SET actor = 'nobody' WHERE order_id = '{paid}' AND sequence = 2"
        ),
        named="'sequence': 2",
    ),
    Break(
        "I29",
        "edited details",
        sql=sql(
            "UPDATE order_audit SET details = '{\"amount\":1}' WHERE order_id = '{paid}'"
            " AND sequence = 1"
        ),
        named="'sequence': 1",
    ),
    Break(
        "I29",
        "details that are no JSON",
        sql=sql("UPDATE order_audit SET details = 'x' WHERE order_id = '{paid}' AND sequence = 2"),
    ),
    Break(
        "I30",
        "a reason that the trail does not have",
        sql=sql("UPDATE orders SET reason = 'OUT_OF_STOCK' WHERE order_id = '{cancelled}'"),
        named="{cancelled}",
    ),
    Break(
        "I30",
        "a payment that the trail does not have",
        sql=sql("UPDATE orders SET payment_status = 'FAILED' WHERE order_id = '{paid}'"),
    ),
    Break(
        "I30",
        "an attempt that the trail does not have",
        sql=sql("UPDATE orders SET attempt_number = 1 WHERE order_id = '{retried}'"),
        named="{retried}",
    ),
    Break(
        "I30",
        "a refund that the trail does not have",
        sql=sql("UPDATE orders SET refunded_amount = 1 WHERE order_id = '{partly}'"),
        named="{partly}",
    ),
)
