"""A table of notes in a database, for tests that are about the database."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    MetaData,
    String,
    Table,
    bindparam,
    insert,
    select,
    update,
)

from kessai.kernel.db import Db, open_database

METADATA = MetaData()
NOTE = Table(
    "note",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(64), unique=True),
    Column("amount", BigInteger, nullable=False),
)
ADD = insert(NOTE)
IDS = select(NOTE.c.id).order_by(NOTE.c.id)
RAISE = update(NOTE).where(NOTE.c.id == bindparam("of_id")).values(amount=NOTE.c.amount + 1)


def a_note(note_id: int, name: str | None = None) -> dict[str, object]:
    return {"id": note_id, "name": name, "amount": 0}


async def a_database(url: str) -> Db:
    """With two notes."""
    db = await open_database(url)
    db.migrate(METADATA.create_all)
    async with db.transaction() as tx:
        await tx.run(NOTE.delete())
        await tx.run(ADD, [a_note(1), a_note(2)])
    return db


async def ids(db: Db) -> list[int]:
    async with db.read() as tx:
        return [row["id"] for row in (await tx.run(IDS)).all()]


async def add(db: Db, note_id: int) -> None:
    async with db.transaction() as tx:
        await tx.run(ADD, a_note(note_id))
