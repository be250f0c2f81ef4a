"""Exact shapes of JSON: which keys, which types, and nothing else; and of problem documents."""

from __future__ import annotations

import re
from typing import Any

from tests.support.shop import Reply

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
ID = re.compile(r"[0-9a-z]{26}")
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
CORRELATION = re.compile(r"[A-Za-z0-9._:-]{8,64}")
_PROBLEM = ("type", "title", "status", "detail", "instance", "code", "correlationId")


def assert_shape(value: Any, shape: Any, at: str = "$") -> None:
    """A dict has exactly these keys, a list items of this shape, a tuple one of these shapes.

    A type is that type itself, so that true is no number; a pattern is for the whole text.
    """
    if isinstance(shape, dict):
        assert isinstance(value, dict), f"{at}: {value!r} is no object"
        assert set(value) == set(shape), f"{at}: {sorted(set(value) ^ set(shape))}"
        for key, inner in shape.items():
            assert_shape(value[key], inner, f"{at}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{at}: {value!r} is no list"
        for position, item in enumerate(value):
            assert_shape(item, shape[0], f"{at}[{position}]")
    elif isinstance(shape, tuple):
        assert any(_has(value, one, at) for one in shape), f"{at}: {value!r} is none of {shape}"
    elif isinstance(shape, type):
        assert type(value) is shape, f"{at}: {value!r} is no {shape.__name__}"
    elif isinstance(shape, re.Pattern):
        assert isinstance(value, str), f"{at}: {value!r} is no text"
        assert shape.fullmatch(value), f"{at}: {value!r}"
    else:
        assert value == shape, f"{at}: {value!r} is not {shape!r}"


def _has(value: Any, shape: Any, at: str) -> bool:
    try:
        assert_shape(value, shape, at)
    except AssertionError:
        return False
    return True


def assert_problem(
    reply: Reply, status: int, code: str, *fields: str, path: str | None = None, **facts: Any
) -> None:
    """RFC 9457 with our members and no others. `fields` are those of `errors[]`, in order."""
    assert (reply.status, reply.code) == (status, code), reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["cache-control"] == "no-store"
    shape = {
        "type": f"urn:kessai:problem:{code.lower().replace('_', '-')}",
        "title": str,
        "status": status,
        "detail": str,
        "instance": str if path is None else path,
        "code": code,
        "correlationId": reply.headers["x-correlation-id"],
        **facts,
    }
    assert tuple(shape)[:7] == _PROBLEM
    if status == 422:
        shape["errors"] = [{"field": str, "code": re.compile(r"[A-Z0-9_]+")}]
        assert fields, "a 422 names its fields"
    assert_shape(reply.body, shape)
    if status == 422:
        assert tuple(error["field"] for error in reply.body["errors"]) == fields
    if status in (429, 503):
        assert int(reply.headers["retry-after"]) >= 1
    if status == 401:
        assert reply.headers["www-authenticate"] == "Bearer"
