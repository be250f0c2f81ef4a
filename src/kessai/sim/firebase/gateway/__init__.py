"""Tables, password hashes, and tokens signed by real keys."""
