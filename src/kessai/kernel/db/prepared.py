"""Statements compiled once and run on the raw SQLite connection.

SQLAlchemy's executor costs 60 to 100 us around a statement that SQLite runs in 5 to 15
(reference: `bench/purchase.py` in pairs). Statements are module constants here, so their text,
the order of their parameters and the shape of their rows are worked out once; what needs more
than that (Python-side defaults, empty lists) stays with SQLAlchemy. A statement with an IN list
is compiled once for each length of its lists.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, cast

from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from kessai.kernel.db.ports import Params, Rows

# More statements than the whole house has; a caller that builds them one by one stays bounded.
_KEPT = 2_000

_Convert = Callable[[Any], Any]
# A place's name, its converter and the value that the statement brings along.
_Bind = tuple[str, _Convert | None, object]
# A dict, as nearly all are, is found without asking the abstract class.
_MAPPINGS = (dict, Mapping)


class _Prepared:
    """A text, and how the values of a call come into the order of its places."""

    __slots__ = ("_converts", "_get", "_own", "converters", "lists", "names", "sql")

    def __init__(
        self,
        sql: str,
        binds: Sequence[_Bind],
        converters: tuple[tuple[str, _Convert], ...],
        lists: Sequence[tuple[str, Sequence[str]]] = (),
        *,
        is_given: bool = False,
    ) -> None:
        """`lists`: each list's name, and the names of its places in the text.

        `is_given`: each value comes with the call, none of them from the statement.
        """
        self.sql = sql
        self.converters = converters
        # The columns of what it returns, once it has: the driver makes a tuple of seven for each.
        self.names: Sequence[str] | None = None
        self.lists = lists
        self._own = None if is_given else {name: own for name, _, own in binds}
        self._converts = [(at, convert) for at, (_, convert, _) in enumerate(binds) if convert]
        self._get = _getter([name for name, _, _ in binds])

    def values(self, params: Mapping[str, object]) -> Sequence[object]:
        given = params if self._own is None else {**self._own, **params}
        if self.lists:
            given = dict(given)
            for name, places in self.lists:
                given.update(zip(places, cast("Sequence[object]", params[name]), strict=True))
        found = self._get(given)
        if not self._converts:
            return found
        values = list(found)
        for at, convert in self._converts:
            values[at] = convert(values[at])
        return values


def _getter(places: Sequence[str]) -> Callable[[Mapping[str, object]], tuple[object, ...]]:
    if len(places) > 1:
        return itemgetter(*places)
    if not places:
        return lambda _: ()
    # Of one name `itemgetter` makes no tuple.
    (only,) = places
    return lambda given: (given[only],)


@dataclass(frozen=True, slots=True)
class _WithLists:
    """A statement whose text depends on how long its IN lists are."""

    compiled: SQLCompiler
    names: tuple[str, ...]
    by_lengths: dict[tuple[int, ...], _Prepared | None]

    def of(self, params: Mapping[str, object], dialect: Dialect) -> _Prepared | None:
        lengths = tuple(len(cast("Sequence[object]", params[name])) for name in self.names)
        try:
            return self.by_lengths[lengths]
        except KeyError:
            made = self.by_lengths[lengths] = _expanded(self.compiled, params, dialect)
            return made


class Statements:
    """The prepared statements of one connection. An SQLite error is raised as it is."""

    def __init__(self, connection: Connection, raw: sqlite3.Connection) -> None:
        self._connection = connection
        self._raw = raw
        self._dialect = connection.dialect
        self._known: dict[tuple[Executable, tuple[str, ...]], _Prepared | _WithLists | None] = {}

    def execute(self, statement: Executable, params: Params | None) -> Rows:
        """Raises `sqlite3.Error`, or SQLAlchemy's where the statement had to stay there."""
        first = _first(params)
        prepared = self._prepared(statement, first)
        many = None if params is None or isinstance(params, _MAPPINGS) else params
        if prepared is None or (many is not None and prepared.lists):
            return Rows.of(self._connection.execute(statement, params))
        if many is not None:
            cursor = self._raw.executemany(prepared.sql, [prepared.values(row) for row in many])
            return Rows((), (), cursor.rowcount)
        cursor = self._raw.execute(prepared.sql, prepared.values(first))
        names = prepared.names
        if names is None:
            names = prepared.names = [column[0] for column in cursor.description or ()]
        if not names:
            return Rows((), (), cursor.rowcount)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        if prepared.converters:
            rows = [_converted(names, values, prepared.converters) for values in rows]
        return Rows(names, rows, cursor.rowcount)

    def _prepared(self, statement: Executable, params: Mapping[str, object]) -> _Prepared | None:
        key = (statement, tuple(params))
        try:
            known = self._known[key]
        except KeyError:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[key] = _prepare(statement, params, self._dialect)
        return known.of(params, self._dialect) if isinstance(known, _WithLists) else known


def _converted(
    names: Sequence[str], values: tuple[Any, ...], converters: Sequence[tuple[str, _Convert]]
) -> tuple[Any, ...]:
    row = dict(zip(names, values, strict=True))
    for name, convert in converters:
        row[name] = convert(row[name])
    return tuple(row.values())


def _first(params: Params | None) -> Mapping[str, object]:
    if not params:
        return {}
    return params if isinstance(params, _MAPPINGS) else params[0]


def _prepare(
    statement: Executable, params: Mapping[str, object], dialect: Dialect
) -> _Prepared | _WithLists | None:
    """None for what only SQLAlchemy's executor can do."""
    if not isinstance(statement, ClauseElement):
        return None
    compiled = statement.compile(dialect=dialect, column_keys=list(params))
    if not isinstance(compiled, SQLCompiler) or compiled.positiontup is None:
        return None
    if compiled.literal_execute_params or compiled.insert_prefetch or compiled.update_prefetch:
        return None
    known = set(params)
    if not known.issuperset(_needed(compiled)) or not known.issubset(compiled.binds):
        # SQLAlchemy's own words for what is missing or too much.
        return None
    if compiled.post_compile_params:
        lists = {compiled.bind_names[one] for one in compiled.post_compile_params}
        # A list that the statement brings along may stand in it under another name.
        return _WithLists(compiled, tuple(sorted(lists)), {}) if lists <= known else None
    converters = cast("Mapping[str, _Convert]", compiled._bind_processors)
    return _Prepared(
        compiled.string,
        _binds(compiled, compiled.positiontup, converters),
        tuple(_row_converters(compiled, dialect)),
        is_given=known.issuperset(compiled.positiontup),
    )


def _expanded(
    compiled: SQLCompiler, params: Mapping[str, object], dialect: Dialect
) -> _Prepared | None:
    state = compiled._process_parameters_for_postcompile(compiled.construct_params(dict(params)))
    lists = tuple((name, tuple(places)) for name, places in state.parameter_expansion.items())
    places = [place for _, of_list in lists for place in of_list]
    # An empty list has no place, one of tuples has several for each.
    whole = sum(len(cast("Sequence[object]", params[name])) for name, _ in lists)
    if not places or len(places) != whole or state.positiontup is None:
        return None
    converters = {**compiled._bind_processors, **state.processors}
    return _Prepared(
        state.statement,
        _binds(compiled, state.positiontup, cast("Mapping[str, _Convert]", converters)),
        tuple(_row_converters(compiled, dialect)),
        lists,
    )


def _binds(
    compiled: SQLCompiler, places: Sequence[str], converters: Mapping[str, _Convert]
) -> list[_Bind]:
    own = {name: bind.effective_value for name, bind in compiled.binds.items()}
    return [(name, converters.get(name), own.get(name)) for name in places]


def _needed(compiled: SQLCompiler) -> list[str]:
    return [name for name, bind in compiled.binds.items() if bind.required]


def _row_converters(compiled: SQLCompiler, dialect: Dialect) -> list[tuple[str, _Convert]]:
    found: list[tuple[str, _Convert]] = []
    for column in compiled._result_columns:
        convert = column.type._cached_result_processor(dialect, None)
        if convert is not None:
            found.append((column.keyname, convert))
    return found
