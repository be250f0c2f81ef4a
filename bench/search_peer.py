"""The plain peer of the search: SQLite's FTS5 with trigrams, asked for what was typed."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from bench.catalogue import Product
from bench.search_queries import Query

_TABLES = """
CREATE VIRTUAL TABLE words USING fts5(title, reading, title_en, description, tokenize='trigram');
CREATE TABLE product (id INTEGER PRIMARY KEY, price INT, stock INT, category TEXT);
"""
# Words that are shorter than three letters have no trigram; for those it looks through all rows.
_TRIGRAM = 3
_FILTERS = (
    " AND (:in_stock IS NULL OR stock > 0) AND (:max_price IS NULL OR price <= :max_price)"
    " AND (:category IS NULL OR category = :category)"
)
_SELECT = "SELECT product.id FROM words JOIN product ON product.id = words.rowid WHERE "
_LIKE = "(title LIKE :like{0} OR reading LIKE :like{0} OR title_en LIKE :like{0})"


class Fts5:
    """With a cache as large as its file: what it takes is its own work, not the disk's."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._db = sqlite3.connect(file)
        self._db.executescript(_TABLES)
        self._db.execute("PRAGMA cache_size = -400000")

    def fill(self, sold: Iterable[Product]) -> float:
        started = time.perf_counter()
        with self._db:
            for one in sold:
                if one.active:
                    row = (one.product_id, one.title, one.reading, one.title_en, one.description)
                    self._db.execute(
                        "INSERT INTO words (rowid, title, reading, title_en, description)"
                        " VALUES (?, ?, ?, ?, ?)",
                        row,
                    )
                    self._db.execute(
                        "INSERT INTO product VALUES (?, ?, ?, ?)",
                        (one.product_id, one.price, one.stock, one.category),
                    )
        return time.perf_counter() - started

    @property
    def size_mb(self) -> float:
        return self._file.stat().st_size / 1e6

    def search(self, query: Query, limit: int = 20) -> list[int]:
        words = query.text.split()
        long = [word for word in words if len(word) >= _TRIGRAM]
        short = [word for word in words if len(word) < _TRIGRAM]
        given: dict[str, object] = {
            "in_stock": query.in_stock,
            "max_price": query.max_price,
            "category": query.category,
            "limit": limit,
        }
        wanted = []
        if long:
            wanted.append("words MATCH :match")
            given["match"] = " AND ".join('"{}"'.format(word.replace('"', '""')) for word in long)
        for number, word in enumerate(short):
            wanted.append(_LIKE.format(number))
            given[f"like{number}"] = f"%{word}%"
        order = " ORDER BY bm25(words, 4.0, 2.0, 2.0, 1.0)" if long else ""
        asked = f"{_SELECT}{' AND '.join(wanted)}{_FILTERS}{order} LIMIT :limit"
        return [row[0] for row in self._db.execute(asked, given)]

    def close(self) -> None:
        self._db.close()
