"""Use cases: what an account's owner does, and what only the people at the simulator can do."""
