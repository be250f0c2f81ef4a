"""What comes in: PayPay's own API, the remote control, the payment page."""
