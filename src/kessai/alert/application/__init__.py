"""Use cases of alert-service: what was raised is kept, and people work on it."""
