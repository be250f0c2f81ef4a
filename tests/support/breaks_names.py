"""Rows that name each other, altered by hand on one side only."""

from __future__ import annotations

from tests.support.breaking import Break, Only, sql

from kessai.proof.verify import ProviderRow


def _not_yet_back(row: ProviderRow) -> ProviderRow:
    return row._replace(refunds=tuple(one._replace(status="CREATED") for one in row.refunds))


BREAKS = (
    Break(
        "I1",
        "the hold is another customer's",
        db="account",
        sql=sql("UPDATE hold SET user_id = 'somebody' WHERE hold_id = '{wallet}'"),
        named="{wallet}",
    ),
    Break(
        "I2",
        "the order shows another payment than its attempt",
        sql=sql("UPDATE orders SET payment_id = 'another' WHERE order_id = '{paid}'"),
    ),
    Break(
        "I4",
        "the provider has not completed what is completed here",
        provider=Only("{refunded}", _not_yet_back),
        named="completed no such refund",
    ),
    Break(
        "I4",
        "a refund of another payment",
        db="payment",
        sql=sql("UPDATE refund SET payment_id = 'another' WHERE order_id = '{refunded}'"),
        named="the payment is",
    ),
    Break(
        "I4",
        "a wish whose status nobody knows",
        sql=sql("UPDATE order_refund SET status = 'LOST' WHERE order_id = '{refunded}'"),
        named="no status LOST",
    ),
    Break(
        "I5",
        "the order says that nothing went back",
        sql=sql("UPDATE orders SET refunded_amount = 0 WHERE order_id = '{partly}'"),
        named="{partly}",
    ),
    Break(
        "I6",
        "a wallet is gone",
        db="account",
        sql=sql("DELETE FROM wallet"),
        named="there is no wallet",
    ),
    Break(
        "I6",
        "a capture of another day",
        db="payment",
        sql=sql(
            "UPDATE ledger SET value_at_ms = value_at_ms - 86400000"
            " WHERE order_id = '{paid}' AND kind = 'CAPTURE'"
        ),
        named="it was worth that",
    ),
    Break(
        "I7",
        "a code of another amount",
        provider=Only("{abandoned}", lambda row: row._replace(amount=row.amount + 1)),
        named="{abandoned}",
    ),
    Break(
        "I9",
        "an attempt of another provider",
        db="payment",
        sql=sql("UPDATE attempt SET provider = 'Balance' WHERE order_id = '{abandoned}'"),
        named="{abandoned}",
    ),
    Break(
        "I10",
        "an order that was given up may have another code",
        db="payment",
        sql=sql(
            "UPDATE payment_order SET closed = 0, closed_reason = NULL"
            " WHERE order_id = '{abandoned}'"
        ),
        named="{abandoned}",
    ),
    Break(
        "I14",
        "an attempt that ended and has no end",
        db="payment",
        sql=sql("UPDATE attempt SET ended_at_ms = NULL WHERE order_id = '{cancelled}'"),
        named="{cancelled}",
    ),
    Break(
        "I17",
        "evidence with another word",
        db="payment",
        sql=sql(
            "UPDATE evidence SET word = 'CREATED'"
            " WHERE attempt_id = '{cancelled}-1' AND word = 'CODE_CREATED'"
        ),
        named="not what was seen",
    ),
    Break(
        "I19",
        "a product is gone, and its stock is there",
        db="storage",
        sql=sql("DELETE FROM product WHERE product_id = 1001"),
        named="1001",
    ),
    Break(
        "I20",
        "a reservation of another order",
        db="storage",
        sql=sql("UPDATE reservation SET order_id = 'x' WHERE reservation_id = '{paid}-1'"),
    ),
    Break(
        "I25",
        "the bus says something else",
        db="bus",
        sql=sql(
            "UPDATE bus_record SET value = CAST(replace(CAST(value AS TEXT), 'PAID', 'FAIL')"
            " AS BLOB) WHERE message_key = '{paid}'"
            ' AND CAST(value AS TEXT) LIKE \'%"newStatus":"PAID"%\''
        ),
        named="not with this content",
    ),
    Break(
        "I30",
        "an order a millisecond older than its trail",
        sql=sql("UPDATE orders SET created_at_ms = created_at_ms - 1 WHERE order_id = '{paid}'"),
    ),
    Break(
        "I31",
        "an alert of another rule",
        db="system",
        sql=sql("UPDATE sys_pay_alert SET rule = 'A' WHERE status = 'NEW'"),
        named="told as",
    ),
    Break(
        "I31",
        "who ended it is not on record",
        db="system",
        sql=sql("DELETE FROM sys_pay_alert_act WHERE action = 'RESOLVED' AND actor = 'hanako'"),
        named="hanako",
    ),
    Break(
        "I38",
        "a saga that ended and has no end",
        sql=sql("UPDATE sg_machine SET ended_at = NULL WHERE business_key = '{paid}'"),
    ),
)
