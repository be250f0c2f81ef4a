"""Use cases of the catalogue and of stock, and the tables they need."""
