"""The product in its own processes, broken on purpose by a plan that the seed made, then judged."""
