"""order-service: orders, their sagas and audit trail.

Owns orders, carts, refunds wanted, the audit chain. Emits orders and signals, consumes payments,
calls storage, payment and account.
"""
