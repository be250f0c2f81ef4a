"""What comes in to alert-service: events of orders, payments and signals, and its operators."""
