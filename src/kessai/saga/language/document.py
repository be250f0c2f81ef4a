"""From a file, a text or an object to one JSON object, within limits, with positions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TypeAlias

from kessai.kernel.errors import JsonValue
from kessai.saga.language.findings import NOWHERE, Finding, Path, Places, Position
from kessai.saga.language.json_text import JsonTextError, json_positions, read_json
from kessai.saga.language.model import DefinitionError
from kessai.saga.language.yaml_text import YamlTextError, read_yaml

MAX_BYTES = 1_000_000
MAX_STATES = 1_000
MAX_DEPTH = 100
MAX_NODES = 100_000

Source: TypeAlias = str | bytes | FilePath | Mapping[str, JsonValue]

_YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Document:
    values: Mapping[str, JsonValue]
    places: Places


def read_document(source: Source) -> Document:
    """Raises `DefinitionError` where there is no object to read attributes from."""
    if isinstance(source, str) and _names_a_file(source):
        source = FilePath(source)
    if isinstance(source, Mapping):
        document = Document(source, NOWHERE)
    else:
        text = _text(source)
        named = source.suffix.lower() if isinstance(source, FilePath) else ""
        is_yaml = named in _YAML or (
            named != ".json" and text.lstrip("\ufeff \t\r\n")[:1] not in ("{", "[")
        )
        # An empty text is most likely a JSON document that lost its content.
        document = _from_yaml(text) if is_yaml and text.strip() else _from_json(text)
    check_size(document)
    finding = _limits(document.values)
    if finding is not None:
        raise DefinitionError.because(document.places.locate([finding]))
    return document


def check_size(document: Document) -> None:
    states = document.values.get("States")
    if isinstance(states, Mapping) and len(states) > MAX_STATES:
        path = ("States", str(list(states)[MAX_STATES]))
        finding = Finding(path, f"is one too many: a machine has at most {MAX_STATES} states")
        raise DefinitionError.because(document.places.locate([finding]))


def _names_a_file(source: str) -> bool:
    """One line that ends like a file's name is no definition in any format."""
    return "\n" not in source and source.lower().endswith((".json", *_YAML))


def _text(source: str | bytes | FilePath) -> str:
    if isinstance(source, FilePath):
        source = _content(source)
    if len(source) > MAX_BYTES:
        raise _refused(f"a definition has at most {MAX_BYTES} bytes")
    try:
        encoded = source.encode() if isinstance(source, str) else source
        # Editors begin files with a mark; in a text it is a character too many, as in Seata.
        text = source if isinstance(source, str) else source.decode("utf-8-sig")
    except UnicodeError as error:
        raise _refused(f"not a UTF-8 text: {error}") from error
    if len(encoded) > MAX_BYTES:
        raise _refused(f"a definition has at most {MAX_BYTES} bytes")
    return text


def _content(file: FilePath) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _refused(f"the file cannot be read: {error.strerror}") from error


def _from_json(text: str) -> Document:
    try:
        value = read_json(text, MAX_DEPTH)
    except JsonTextError as error:
        raise DefinitionError.because(tuple(error.findings)) from error
    places = Places(lambda: json_positions(text, MAX_DEPTH + 1))
    return Document(_object(value, "JSON"), places)


def _from_yaml(text: str) -> Document:
    try:
        found = read_yaml(text, max_depth=MAX_DEPTH, max_nodes=MAX_NODES, max_states=MAX_STATES)
    except YamlTextError as error:
        raise DefinitionError.because((error.finding,)) from error
    return Document(_object(found.value, "YAML"), Places(lambda: found.positions))


def _object(value: JsonValue, language: str) -> Mapping[str, JsonValue]:
    if isinstance(value, Mapping):
        return value
    raise DefinitionError.because(
        (Finding((), f"a definition is a {language} object", Position(1, 1)),)
    )


def _refused(what: str) -> DefinitionError:
    return DefinitionError.because((Finding((), what),))


def _limits(values: Mapping[str, JsonValue]) -> Finding | None:
    """What a reader of text cannot know, or an object was never asked."""
    count = 0
    pending: list[tuple[Path, JsonValue]] = [((), values)]
    while pending:
        path, value = pending.pop()
        count += 1
        if count > MAX_NODES:
            return Finding((), f"a definition has at most {MAX_NODES} values")
        what = _unfit(value) or ("is nested too deeply" if len(path) > MAX_DEPTH else None)
        if what is not None:
            return Finding(path, what)
        if isinstance(value, Mapping):
            pending.extend(((*path, key), inner) for key, inner in value.items())
        elif isinstance(value, list | tuple):
            pending.extend(((*path, at), inner) for at, inner in enumerate(value))
    return None


def _unfit(value: object) -> str | None:
    match value:
        case None | bool() | int():
            return None
        case str():
            return None if _is_unicode(value) else "has half of a surrogate pair"
        case float():
            return None if math.isfinite(value) else f"{value} is not a JSON number"
        case list() | tuple():
            return None
        case Mapping():
            if not all(isinstance(key, str) for key in value):
                return "must have strings as keys"
            return None if all(map(_is_unicode, value)) else "has half of a surrogate pair"
        case _:
            return f"{type(value).__name__} is not a JSON type"


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
