"""Alerts broken by hand."""

from __future__ import annotations

from tests.support.breaking import Break, sql

_RAISED = "topic LIKE '%alerts%' AND CAST(value AS TEXT) LIKE '%\"AlertRaised\"%'"

BREAKS = (
    Break(
        "I31",
        "a row is gone",
        db="system",
        sql=sql("DELETE FROM sys_pay_alert WHERE status = 'NEW'"),
        named="it has no row",
    ),
    Break(
        "I31",
        "a row that nobody raised",
        db="system",
        sql=sql(
            "CREATE TEMP TABLE one AS SELECT * FROM sys_pay_alert WHERE status = 'NEW'",
            "UPDATE one SET alert_id = 'z'",
            "INSERT INTO sys_pay_alert SELECT * FROM one",
        ),
        named="never raised",
    ),
    Break(
        "I31",
        "raised twice",
        db="bus",
        sql=sql(
            "INSERT INTO bus_record SELECT topic, partition,"
            " (SELECT next_position FROM bus_head h WHERE h.topic = r.topic"
            " AND h.partition = r.partition), at_ms, message_key, value, headers"
            f" FROM bus_record r WHERE {_RAISED} LIMIT 1",
            "UPDATE bus_head SET next_position = next_position + 1 WHERE topic LIKE '%alerts%'",
        ),
        named="raised 2 times",
    ),
    Break(
        "I33",
        "the end is not in the row",
        db="system",
        sql=sql("UPDATE sys_pay_alert SET status = 'NEW' WHERE status = 'RESOLVED'"),
        named="open in its row",
    ),
    Break(
        "I33",
        "resolved by nobody",
        db="system",
        sql=sql("UPDATE sys_pay_alert SET resolved_by = NULL WHERE status = 'RESOLVED'"),
        named="resolved by nobody",
    ),
    Break(
        "I33",
        "an order is paid, and the alert that it is not stays open",
        db="system",
        sql=sql("UPDATE sys_pay_alert SET rule = 'A', order_id = '{paid}' WHERE status = 'NEW'"),
        named="its order is PAID",
    ),
)
