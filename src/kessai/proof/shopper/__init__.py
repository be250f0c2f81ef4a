"""Customers of all kinds, over the public HTTP and WebSocket only, planned by a seed."""
