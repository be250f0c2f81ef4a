"""The tree of errors, and the three answers of every call: a value, `Refused`, `Unknown`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

JsonValue: TypeAlias = (
    "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
)


class Kind(StrEnum):
    """Why a caller was refused; `kernel.problem` maps each kind to one HTTP status."""

    BAD_REQUEST = "BAD_REQUEST"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    TOO_LARGE = "TOO_LARGE"
    INVALID = "INVALID"
    TOO_MANY = "TOO_MANY"
    UNAVAILABLE = "UNAVAILABLE"


class KessaiError(Exception):
    """Root of every error that this product raises on purpose."""


class Refused(KessaiError):
    """A final no: nothing was done, and asking again changes nothing by itself.

    `code` is stable and upper case; `facts` are what the caller may show (never secrets).
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        kind: Kind = Kind.CONFLICT,
        facts: Mapping[str, JsonValue] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message
        self.kind = kind
        self.facts: Mapping[str, JsonValue] = facts or {}
        self.retry_after_s = retry_after_s


class Unknown(KessaiError):
    """The call may or may not have taken effect: ask again, never conclude."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message


class NotFound(Refused):
    """No such thing, or it belongs to someone else: the two look the same from outside."""

    def __init__(self, message: str = "") -> None:
        super().__init__("NOT_FOUND", message, kind=Kind.NOT_FOUND)


class Invalid(Refused):
    """Input that no retry can make right; `errors` name each field and its code."""

    def __init__(self, field: str, code: str, message: str = "") -> None:
        errors: list[JsonValue] = [{"field": field, "code": code}]
        super().__init__("VALIDATION", message, kind=Kind.INVALID, facts={"errors": errors})


class IllegalMove(Refused):
    """A status move that the table of `contracts.moves` does not have."""

    def __init__(self, message: str = "", facts: Mapping[str, JsonValue] | None = None) -> None:
        super().__init__("ILLEGAL_STATE", message, facts=facts)


class VersionConflict(Refused):
    """The row moved on since it was read; the whole use case may be tried again."""

    def __init__(self, message: str = "") -> None:
        super().__init__("VERSION_CONFLICT", message)


class DatabaseUnavailable(Unknown):
    """The database is locked, full or gone: not committed, or that is unknown."""

    def __init__(self, message: str = "") -> None:
        super().__init__("DATABASE_UNAVAILABLE", message)


class Fenced(KessaiError):
    """A lease or log was taken over by somebody else: this writer must stop."""


class Duplicate(KessaiError):
    """A unique key exists already: the database's own word that this was done before."""


class ConstraintViolated(KessaiError):
    """A CHECK or NOT NULL refused the row: a rule of the schema held where code did not."""
