"""Money and its ledger, broken by hand; `{paid}` stands for the id of such an order."""

from __future__ import annotations

from tests.support.breaking import Break, Only, a_code, sql

from kessai.proof.verify import PaidBackRow, ProviderRow


def _more_refunded(row: ProviderRow) -> ProviderRow:
    back = PaidBackRow("strange", row.captured + 1, "REFUNDED")
    return row._replace(refunds=(*row.refunds, back))


LEDGER = (
    "INSERT INTO ledger (id, order_id, merchant_payment_id, kind, debit_account, credit_account,"
    " amount_yen, at_ms) SELECT 'twice', order_id, merchant_payment_id, kind, debit_account,"
    " credit_account, amount_yen, at_ms FROM ledger WHERE order_id = '{paid}'"
)

BREAKS = (
    Break(
        "I1",
        "the provider gave money back that nobody wanted back",
        provider=Only("{paid}", lambda row: row._replace(captured=row.captured - 1)),
    ),
    Break(
        "I1",
        "money is kept for an order that FAILED long ago",
        provider=Only(
            "{cancelled}",
            lambda row: row._replace(status="COMPLETED", captured=8800, paid_at_ms=1),
        ),
        named="{cancelled}",
        later_s=7200,
    ),
    Break(
        "I1",
        "money for an order that is not there",
        added=a_code("nobody-1", status="COMPLETED", captured=5, paid_at_ms=1),
        named="nobody-1",
    ),
    Break(
        "I1",
        "the wallet's hold of a PAID order was given back",
        db="account",
        sql=sql("UPDATE hold SET status = 'RELEASED' WHERE hold_id = '{wallet}'"),
        named="{wallet}",
    ),
    Break(
        "I2",
        "one yen more",
        sql=sql("UPDATE orders SET amount = amount + 1 WHERE order_id = '{paid}'"),
    ),
    Break(
        "I2",
        "PAID without evidence",
        db="payment",
        sql=sql("DELETE FROM evidence WHERE attempt_id = '{paid}-1'"),
    ),
    Break(
        "I2",
        "a webhook is no evidence",
        db="payment",
        sql=sql("UPDATE evidence SET source = 'WEBHOOK' WHERE attempt_id = '{paid}-1'"),
    ),
    Break(
        "I2",
        "the evidence is in another currency",
        db="payment",
        sql=sql("UPDATE evidence SET currency = 'USD' WHERE attempt_id = '{paid}-1'"),
    ),
    Break("I2", "the provider knows no such payment", provider=Only("{paid}", lambda _: None)),
    Break(
        "I2",
        "paid by an attempt of another order",
        sql=sql("UPDATE orders SET paid_attempt = '{polled}-1' WHERE order_id = '{paid}'"),
    ),
    Break(
        "I3",
        "a doubled capture",
        db="payment",
        sql=sql(
            "UPDATE attempt SET status = 'SUCCEEDED', captured_yen = amount_yen,"
            " completed_at_ms = 1, ended_at_ms = 1 WHERE id = '{retried}-1'",
            LEDGER.replace("{paid}", "{retried}").replace(
                "merchant_payment_id, kind, debit_account, credit_account, amount_yen, at_ms FROM",
                "'{retried}-1', kind, debit_account, credit_account, amount_yen, at_ms FROM",
            ),
        ),
        named="{retried}-1",
        later_s=7200,
    ),
    Break(
        "I3",
        "the provider holds two payments",
        provider=Only(
            "{retried}",
            lambda row: row._replace(status="COMPLETED", captured=8800, paid_at_ms=1),
        ),
        named="{retried}",
        later_s=7200,
    ),
    Break(
        "I4",
        "a refund that is wanted and never done",
        sql=sql(
            "UPDATE order_refund SET status = 'REQUESTED' WHERE order_id = '{refunded}'",
        ),
        named="{refunded}",
        later_s=7200,
    ),
    Break(
        "I4",
        "a refund that payment-service never made",
        db="payment",
        sql=sql("DELETE FROM refund WHERE order_id = '{refunded}'"),
        named="{refunded}",
    ),
    Break(
        "I4",
        "a refund that the provider never made",
        provider=Only("{refunded}", lambda row: row._replace(refunds=())),
        named="{refunded}",
    ),
    Break(
        "I4",
        "late money is refunded twice",
        sql=sql(
            "UPDATE orders SET status = 'FAILED', reason = 'CANCELLED' WHERE order_id = '{paid}'"
        ),
        later_s=7200,
    ),
    Break(
        "I4",
        "a refund under an id that is made of nothing",
        sql=sql("UPDATE order_refund SET refund_id = 'r1' WHERE order_id = '{refunded}'"),
        named="{refunded}",
    ),
    Break(
        "I4",
        "a wallet's refund without a credit",
        sql=sql(
            "UPDATE order_refund SET order_id = '{wallet}', refund_id = 'r1', reason = 'OPERATOR'"
            " WHERE order_id = '{refunded}'"
        ),
        named="r1",
    ),
    Break("I5", "more went back than came", provider=Only("{paid}", _more_refunded)),
    Break(
        "I5",
        "more goes back than was captured",
        db="payment",
        sql=sql("UPDATE refund SET amount_yen = 99999999 WHERE order_id = '{partly}'"),
        named="{partly}",
    ),
    Break("I6", "an entry twice", db="payment", sql=sql(LEDGER)),
    Break(
        "I6",
        "one yen more in an entry",
        db="payment",
        sql=sql("UPDATE ledger SET amount_yen = amount_yen + 1 WHERE order_id = '{paid}'"),
    ),
    Break(
        "I6",
        "an entry between the wrong accounts",
        db="payment",
        sql=sql("UPDATE ledger SET debit_account = 'cash' WHERE order_id = '{paid}'"),
    ),
    Break(
        "I6",
        "an entry is gone",
        db="payment",
        sql=sql("DELETE FROM ledger WHERE order_id = '{partly}' AND kind = 'REFUND'"),
        named="{partly}",
    ),
    Break(
        "I6",
        "a wallet was given a yen",
        db="account",
        sql=sql("UPDATE wallet SET available = available + 1"),
        named="available",
    ),
    Break(
        "I6",
        "a hold moved the wallet twice",
        db="account",
        sql=sql(
            "INSERT INTO balance_ledger (user_id, kind, cause_id, available_delta, held_delta,"
            " at_ms) SELECT user_id, kind, 'x' || cause_id, available_delta, held_delta, at_ms"
            " FROM balance_ledger WHERE kind = 'HOLD'",
            "UPDATE wallet SET available = (SELECT sum(available_delta) FROM balance_ledger"
            " WHERE user_id = wallet.user_id), held = (SELECT sum(held_delta)"
            " FROM balance_ledger WHERE user_id = wallet.user_id)",
        ),
        named="available",
    ),
    Break(
        "I7",
        "the amount is not that of its creation",
        sql=sql(
            "UPDATE orders SET amount = amount + 1, items = replace(items, '\"unitPrice\":',"
            " '\"unitPrice\":1') WHERE order_id = '{paid}'"
        ),
    ),
    Break(
        "I7",
        "half a yen",
        sql=sql("UPDATE orders SET amount = amount + 0.5 WHERE order_id = '{paid}'"),
    ),
    Break(
        "I7",
        "another amount is asked for",
        db="payment",
        sql=sql("UPDATE attempt SET amount_yen = 1 WHERE order_id = '{paid}'"),
    ),
    Break(
        "I8",
        "a day's file differs",
        db="payment",
        sql=sql(
            "INSERT INTO settlement_run VALUES ('r', '2026-01-14', 'd', 'f', 'recon', 3, 2, 0, 0,"
            " 1, 0, 0, 0, 3, 2, 1, 2)"
        ),
        named="2026-01-14",
    ),
)
