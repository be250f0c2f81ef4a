"""Use cases of order-service and the ports that they need."""
