"""es-service: pictures of products, brought in, kept and made small.

Owns the objects of the store. Emits and consumes nothing yet, calls storage-service. Searching
still is storage-service's.
"""
