"""XML by hand, escaped: names and expressions are whatever an author wrote."""

from __future__ import annotations

import re
from html import escape

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(name: str, inner: str = "", *, label: str | None = None, **values: str | float) -> str:
    """`label` is spoken and shown under a pointer. A name that ends in _ avoids a keyword."""
    attributes = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"' for key, value in values.items()
    )
    if label is not None:
        attributes += f' role="group" aria-label="{escaped(label)}"'
        inner = f"<title>{escaped(label)}</title>{inner}"
    return f"<{name}{attributes}>{inner}</{name}>" if inner else f"<{name}{attributes}/>"


def text(content: str, x: float, y: float, class_: str, *, anchor: str = "start") -> str:
    if not content:
        return ""
    if anchor == "start":
        return element("text", escaped(content), x=x, y=y, class_=class_)
    return element("text", escaped(content), x=x, y=y, class_=class_, text_anchor=anchor)


def escaped(content: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", content))


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return escaped(value)
    return f"{value:.1f}".removesuffix(".0")
