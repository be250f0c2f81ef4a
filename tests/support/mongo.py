"""A database of its own on a MongoDB that others use too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import uuid4

from kessai.kernel.mongo import Database, open_mongo


def own_url(url: str) -> str:
    return urlsplit(url)._replace(path=f"/t{uuid4().hex[:8]}_audit").geturl()


@asynccontextmanager
async def a_database(url: str) -> AsyncIterator[Database]:
    """Gone with the block."""
    database = await open_mongo(own_url(url))
    try:
        yield database
    finally:
        await database.client.drop_database(database.name)
        await database.client.close()
