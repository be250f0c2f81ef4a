"""The rules of payment truth: what proves a payment, when to ask, what may be given back."""
