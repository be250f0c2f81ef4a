"""Kessai (決済): an e-commerce payment system that integrates PayPay and always converges."""
