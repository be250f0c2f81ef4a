"""The published language: what services may know of each other. Models, statuses, events."""
