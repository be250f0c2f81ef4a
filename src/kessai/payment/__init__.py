"""payment-service: finds out what became of each payment, and moves money back when told to.

Owns attempts, evidence, webhook inbox, refunds and the money ledger. Emits payment events and
signals, consumes nothing, calls PayPay.
"""
