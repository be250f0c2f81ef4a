"""bff: the only door. Owns sessions and live channels, calls every service, reads order events."""
