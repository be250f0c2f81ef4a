"""Events, webhooks and queues, broken by hand; `{paid}` stands for the id of such an order."""

from __future__ import annotations

from tests.support.breaking import Break, a_code, sql

OUTBOX = (
    "INSERT INTO outbox (topic, message_key, value, headers, event_id, created_at_ms, sent)"
    " SELECT topic, message_key, value, headers, event_id, created_at_ms, sent FROM outbox"
    " WHERE message_key = '{paid}' AND CAST(value AS TEXT) LIKE '%OrderStatusChanged%' LIMIT 1"
)

BREAKS = (
    Break(
        "I24",
        "a lost outbox row",
        sql=sql(
            "DELETE FROM outbox WHERE message_key = '{paid}'"
            ' AND CAST(value AS TEXT) LIKE \'%"newStatus":"PAID%\''
        ),
    ),
    Break(
        "I24",
        "a gap of the sequence",
        sql=sql(
            "DELETE FROM outbox WHERE message_key = '{paid}' AND CAST(value AS TEXT) LIKE"
            " '%OrderViewChanged%\"version\":3%'"
        ),
    ),
    Break("I24", "told twice", sql=sql(OUTBOX)),
    Break(
        "I24",
        "told, and never committed",
        sql=sql("UPDATE outbox SET message_key = 'x' WHERE message_key = '{paid}'"),
    ),
    Break(
        "I24",
        "a success that is not told",
        db="payment",
        sql=sql("DELETE FROM outbox WHERE message_key = '{paid}'"),
    ),
    Break(
        "I24",
        "a refund that is told and is not there",
        db="payment",
        sql=sql("DELETE FROM refund WHERE order_id = '{refunded}'"),
        named="{refunded}",
    ),
    Break(
        "I25",
        "sent, and not on the bus",
        db="bus",
        sql=sql("DELETE FROM bus_record WHERE message_key = '{paid}'"),
    ),
    Break(
        "I25",
        "closed by a person, and not on the topic",
        db="bus",
        sql=sql(
            "DELETE FROM bus_record WHERE topic LIKE '%alerts%' AND CAST(value AS TEXT) LIKE"
            " '%hanako%'"
        ),
        named="sent, and it is not on the bus",
    ),
    Break(
        "I25",
        "on the bus, and in no outbox",
        sql=sql("DELETE FROM outbox WHERE message_key = '{paid}'"),
    ),
    Break(
        "I25",
        "never sent",
        sql=sql("UPDATE outbox SET sent = 0, event_id = 'e' || id WHERE message_key = '{paid}'"),
        later_s=600,
    ),
    Break(
        "I25",
        "out of order",
        db="bus",
        sql=sql(
            "DELETE FROM bus_record WHERE message_key = '{paid}' AND CAST(value AS TEXT) LIKE"
            ' \'%"newStatus":"WAITING_PAYMENT%\''
        ),
    ),
    Break(
        "I25",
        "handled, and never applied",
        sql=sql("DELETE FROM inbox"),
        named="event_id",
    ),
    Break(
        "I26",
        "a record is gone",
        db="bus",
        sql=sql("DELETE FROM bus_record WHERE message_key = '{paid}'"),
        named="ec-demo",
    ),
    Break(
        "I26",
        "a consumer beyond the end",
        db="bus",
        sql=sql("UPDATE bus_claim SET position = 999999"),
        named="999999",
    ),
    Break(
        "I26",
        "a dead letter that nobody looks at",
        db="bus",
        sql=sql(
            "INSERT INTO bus_record SELECT topic || '.dlt', 0, 0, at_ms, message_key, value,"
            " json_set(headers, '$.dlt-topic', topic, '$.dlt-partition', CAST(\"partition\" AS"
            " TEXT), '$.dlt-offset', CAST(position AS TEXT)) FROM bus_record WHERE message_key ="
            " '{paid}' AND topic LIKE '%payments%' LIMIT 1",
            "INSERT INTO bus_head VALUES ('ec-demo.payments.events.v1.dlt', 0, 0, 1)",
        ),
        later_s=90_000,
    ),
    Break(
        "I27",
        "a webhook that nobody looks into",
        db="payment",
        sql=sql("UPDATE webhook_inbox SET status = 'NEW' WHERE merchant_payment_id = '{paid}-1'"),
        later_s=3600,
    ),
    Break(
        "I27",
        "answered and not stored",
        added=a_code("lost-1", status="NOTIFIED"),
        named="lost-1",
    ),
    Break(
        "I38",
        "a saga that needs an operator",
        sql=sql("UPDATE sg_machine SET needs_operator = 1 WHERE business_key = '{paid}'"),
    ),
    Break("I38", "what is due is not done", named="attempt", later_s=7200),
)
