"""What happened to one order, for people: a list of lines, and a sequence diagram in Mermaid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kessai.proof.simulation.run import SeedResult
from kessai.proof.simulation.trace import Happening

_ORDER_ID = re.compile(r"(?<![0-9a-z])[0-9a-z]{26}(?![0-9a-z])")
# A world's faults that have no order: they may explain any story.
_EVERYBODYS = ("crash", "stop", "start", "resume", "heal")
_ARROWS = {"call": "->>", "http": "->>", "event": "-)", "wallet": "->>"}
_BACK = {"answer": "-->>", "reply": "-->>"}
_TEXT = 110
MAX_DIAGRAM = 60


def story_of(result: SeedResult, order_id: str) -> list[Happening]:
    """All that names the order, and all that the same requests and records caused."""
    trails = {
        one.correlation
        for one in result.happenings
        if order_id in one.text and one.correlation and one.kind in ("call", "answer", "event")
    }
    return [
        one
        for one in result.happenings
        if order_id in one.text
        or one.kind in _EVERYBODYS
        or (one.kind == "fault" and one.text.split(" ")[0] in _EVERYBODYS)
        or (one.correlation in trails and not _names_another(one, order_id))
    ]


def _names_another(one: Happening, order_id: str) -> bool:
    found = _ORDER_ID.findall(one.text)
    return bool(found) and order_id not in found


def orders_in(result: SeedResult, texts: Iterable[str]) -> list[str]:
    """Orders that the texts name, in their order."""
    known = dict.fromkeys(result.order_ids)
    return [
        name
        for name in dict.fromkeys(name for text in texts for name in _ORDER_ID.findall(text))
        if name in known
    ]


def lines(happenings: Sequence[Happening], *, width: int = 200) -> list[str]:
    return [
        f"{one.at_s:9.3f}  {one.kind:<7} {_way(one):<36} {_short(one.text, width)}"
        for one in happenings
    ]


def _way(one: Happening) -> str:
    return one.source if one.source == one.target else f"{one.source} > {one.target}"


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def mermaid(happenings: Sequence[Happening]) -> str:
    """The last steps of a story; a page-long diagram explains nothing."""
    shown = happenings[-MAX_DIAGRAM:]
    drawn = ["sequenceDiagram"]
    if len(happenings) > len(shown):
        drawn.append(f"    %% {len(happenings) - len(shown)} earlier steps are left out")
    drawn += [f"    {_drawn(one)}" for one in shown]
    return "\n".join(drawn)


def _drawn(one: Happening) -> str:
    text = _plain(f"{one.at_s:.2f} s {_what(one)}")
    source, target = _name(one.source), _name(one.target)
    arrow = _ARROWS.get(one.kind) or _BACK.get(one.kind)
    if arrow:
        return f"{source}{arrow}{target}: {text}"
    over = source if source == target else f"{source},{target}"
    return f"Note over {over}: {text}"


def _what(one: Happening) -> str:
    """A call by its operation, an answer by what it decides."""
    head, _, rest = one.text.partition(" ")
    if one.kind in ("call", "answer"):
        words = re.findall(r'"(?:status|paymentStatus|reason|code)":"?([A-Za-z_]+)', rest)
        return " ".join([head, *words[:3]]) if one.kind == "answer" else head
    if one.kind == "event":
        kind = re.search(r'"eventType":"(\w+)"', one.text)
        moved = re.search(r'"newStatus":"(\w+)"', one.text)
        return " ".join(found[1] for found in (kind, moved) if found)
    if one.kind in ("http", "reply"):
        return _short(one.text.split(" {")[0], 60)
    return one.text if one.kind == "wallet" else f"{one.kind} {one.text}".strip()


def _name(name: str) -> str:
    return name.replace("-", "_")


def _plain(text: str) -> str:
    return _short(re.sub(r"[;#{}\n]", " ", text), _TEXT)
