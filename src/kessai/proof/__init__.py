"""The product's own proof: virtual time now; verify, shopper, chaos and simulate build on it."""
