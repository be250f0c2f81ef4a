"""What payment-service reaches outside of itself: its tables, the outbox, PayPay."""
