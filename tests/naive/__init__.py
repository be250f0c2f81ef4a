"""A labelled stand-in: our own re-implementation of the naive payment algorithm, as a test peer.

It follows the published description of a webhook-and-polling shop without proof: statuses are
believed, exceptions are failures, events leave without an outbox. It was written by us to be
wrong in sixteen known ways (X1-X16), so that each check can be seen to find what it looks for.
Nothing measured on it may be quoted as the measure of anybody's product.
"""
