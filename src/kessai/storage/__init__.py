"""storage-service: what is sold, at which price, and how much of it is there.

Owns products, categories, stock, reservations and the stock ledger. Emits product events and
signals, consumes and calls nothing.
"""
