"""Links of the documents: what each leads to, and which lead nowhere."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parents[2]

# Folders with pages of Markdown, beside those at the root.
FOLDERS = ("docs", "deploy", "requirements", "tests/docs")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)

_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_HEADING = re.compile(r"#{1,6}\s+(.*?)(?:\s+#+)?\s*$")
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_TARGET = re.compile(
    r"""(?P<before>\]\(<?|<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=["'])"""
    r"""(?P<target>[^)\s"'>]+)"""
)
_ID = re.compile(r"""<[a-z]+\b[^>]*?\b(?:id|name)=["']([^"']+)""")


def pages(root: Path = ROOT) -> list[Path]:
    found = [*root.glob("*.md"), *(page for f in FOLDERS for page in (root / f).rglob("*.md"))]
    return sorted(page for page in found if "node_modules" not in page.parts)


def lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Number, line, and whether it belongs to a fenced block."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        found = _FENCE.match(line)
        if fence:
            yield number, line, True
            if found and found[1].startswith(fence) and line.strip() == found[1]:
                fence = ""
        else:
            fence = found[1] if found else ""
            yield number, line, bool(fence)


def rewritten(line: str, change: Callable[[str], str]) -> str:
    """The line with every target changed, those in code left alone."""
    hidden: list[str] = []

    def hide(code: re.Match[str]) -> str:
        hidden.append(code[0])
        return f"\0{len(hidden) - 1}\0"

    changed = _TARGET.sub(
        lambda link: link["before"] + change(link["target"]), _CODE.sub(hide, line)
    )
    return re.sub(r"\0(\d+)\0", lambda place: hidden[int(place[1])], changed)


def targets(text: str) -> Iterator[tuple[int, str]]:
    for number, line, fenced in lines(text):
        if fenced:
            continue
        found: list[str] = []

        def note(target: str, found: list[str] = found) -> str:
            found.append(target)
            return target

        rewritten(line, note)
        yield from ((number, target) for target in found)


def slug(heading: str) -> str:
    """The anchor that hosts of Markdown and the site give a heading."""
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    plain = re.sub(r"<[^>]+>", "", re.sub(r"[`*]", "", plain))
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


@cache
def anchors(page: Path) -> frozenset[str]:
    text = page.read_text("utf-8")
    seen: Counter[str] = Counter()
    found = set(_ID.findall(text))
    for _, line, fenced in lines(text):
        if not fenced and (heading := _HEADING.match(line)):
            name = slug(heading[1])
            found.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    return frozenset(found)


def broken(root: Path = ROOT) -> Iterator[str]:
    """`file:line: what` of each link that leads nowhere. Other sites are not asked."""
    for page in pages(root):
        for number, target in targets(page.read_text("utf-8")):
            if not ELSEWHERE.match(target) and (wrong := _wrong(page, target, root)):
                yield f"{page.relative_to(root)}:{number}: {target}: {wrong}"


def _wrong(page: Path, target: str, root: Path) -> str:
    name, _, anchor = unquote(target).partition("#")
    there = Path(os.path.normpath(page.parent / name)) if name else page
    if not there.is_relative_to(root):
        return "leads out of the repository"
    if not there.exists():
        return "is not there"
    if anchor and there.suffix == ".md" and anchor not in anchors(there):
        return f"{there.relative_to(root)} has no heading #{anchor}"
    return ""
