"""MongoDB as a replica set of one, with one account: made at the first start, mended at others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from kessai.stack.domain.place import HOST, USER, Place

_LIMIT_MS = 5000
_WRONG_PASSWORD = 18
_Document: TypeAlias = dict[str, Any]


async def why_not_ready(place: Place) -> str | None:
    address = f"{HOST}:{place.ports['mongodb.mongodb']}"
    async with _client(address) as stranger:
        hello = await stranger.admin.command("hello")
        if hello.get("isreplicaset"):
            await stranger.admin.command("replSetInitiate", _members(address, 1))
            return "the replica set is new"
        if not hello.get("isWritablePrimary"):
            return await _rejoin(place, address)
    try:
        async with _client(address, place.secrets["mongodb"]) as known:
            await known.admin.command("listDatabases")
    except OperationFailure as error:
        if error.code != _WRONG_PASSWORD:
            raise
        return await _make_account(place, address)
    return None


def _client(address: str, password: str | None = None) -> AsyncMongoClient[_Document]:
    account = "" if password is None else f"{USER}:{password}@"
    return AsyncMongoClient(
        f"mongodb://{account}{address}/?authSource=admin",
        directConnection=True,
        serverSelectionTimeoutMS=_LIMIT_MS,
    )


def _members(address: str, version: int) -> Mapping[str, object]:
    return {"_id": "rs0", "version": version, "members": [{"_id": 0, "host": address}]}


async def _rejoin(place: Place, address: str) -> str:
    """On another port than before it does not find itself among the members."""
    try:
        async with _client(address, place.secrets["mongodb"]) as known:
            config = (await known.admin.command("replSetGetConfig"))["config"]
            if config["members"][0]["host"] != address:
                moved = _members(address, config["version"] + 1)
                await known.admin.command("replSetReconfig", moved, force=True)
    except OperationFailure as error:
        return f"it elects itself ({error.code})"
    return "it elects itself"


async def _make_account(place: Place, address: str) -> str:
    """From this machine and while there is none, the first account may be made by anyone."""
    async with _client(address) as stranger:
        await stranger.admin.command(
            "createUser", USER, pwd=place.secrets["mongodb"], roles=["root"]
        )
    return "its account is new"
