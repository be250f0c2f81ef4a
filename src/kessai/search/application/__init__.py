"""Use cases of es-service and the ports they need."""
