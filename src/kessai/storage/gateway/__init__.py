"""The tables of storage-service."""
