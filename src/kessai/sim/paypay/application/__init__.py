"""Use cases of the two sides, merchant and customer, and the faults between them."""
