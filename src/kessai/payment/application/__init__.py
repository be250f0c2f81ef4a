"""The use cases of payment-service: each fetches, decides and writes in one transaction."""
