"""Pure rules of an order: its states, the news of its payment, its audit chain."""
