"""alert-service: finds orders and payments that disagree, and says so once, with proof and remedy.

Owns: rule state (RocksDB) and `ec_system.sys_pay_alert`. Emits: alerts. Consumes: orders, payments,
signals, alerts. Calls: order, payment, storage (evidence and remedies).
"""
