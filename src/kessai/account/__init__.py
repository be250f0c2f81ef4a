"""account-service: who the customers are and what is in their wallets.

Owns users, profiles, roles, wallets, holds and the balance ledger. Emits, consumes and calls
nothing.
"""
