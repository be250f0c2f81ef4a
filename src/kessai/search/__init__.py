"""es-service: finding products and completing what is typed; pictures, kept and made small.

Owns the index, which is a picture of storage-service's catalogue, and the objects of the store.
Emits nothing, consumes products, calls storage-service.
"""
