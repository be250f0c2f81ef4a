"""What goes out of order-service: its tables."""
