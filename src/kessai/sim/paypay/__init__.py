"""PayPay as a merchant sees it: codes, payments, refunds, unsigned webhooks, faults on demand.

Owns the book, which is the ground truth of tests. Listens on 8090; calls the merchant's webhook
address; needs nothing else of Kessai, so it also serves anyone who integrates PayPay.
"""
