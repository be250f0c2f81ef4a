"""What a server is, and everything about it that would be true on paper."""
