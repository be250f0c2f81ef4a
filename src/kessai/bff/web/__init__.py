"""Everything that comes in at the door: pages, JSON, webhooks, sockets, order events."""
