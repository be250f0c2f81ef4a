"""Stand-ins for strangers, good enough to be integrated against; each also runs alone."""
