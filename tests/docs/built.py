"""The site as it was built: nothing in it leads nowhere, and nothing is fetched from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

from tests.docs.links import ELSEWHERE

# What a browser fetches by itself when it opens a page.
FETCHED = {"script": "src", "img": "src", "source": "srcset", "iframe": "src", "link": "href"}
# A page that is served for any address; its links are from the root.
ANYWHERE = "404.html"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[int, str]] = []
        self.fetched: list[tuple[int, str]] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value}
        if "id" in values:
            self.ids.add(values["id"])
        if tag == "a" and "href" in values:
            self.links.append((self.getpos()[0], values["href"]))
        if (name := FETCHED.get(tag)) and name in values:
            self.fetched.append((self.getpos()[0], values[name]))


def faults(site: Path) -> Iterator[str]:
    pages = {path: _read(path) for path in sorted(site.rglob("*.html")) if path.name != ANYWHERE}
    if not pages:
        yield f"{site}: no page was built"
    for path, page in pages.items():
        here = path.relative_to(site).as_posix()
        for line, target in page.fetched:
            if (ELSEWHERE.match(target) and not target.startswith("data:")) or target[:2] == "//":
                yield f"{here}:{line}: is fetched from elsewhere: {target}"
        for line, target in [*page.links, *page.fetched]:
            if not ELSEWHERE.match(target) and (wrong := _wrong(path, target, pages)):
                yield f"{here}:{line}: {target}: {wrong}"


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text("utf-8"))
    return page


def _wrong(path: Path, target: str, pages: dict[Path, _Page]) -> str:
    name, _, anchor = unquote(target).partition("#")
    there = Path(os.path.normpath(path.parent / name.partition("?")[0])) if name else path
    if not there.is_file():
        return "is not there"
    if anchor and there in pages and anchor not in pages[there].ids:
        return f"no #{anchor} there"
    return ""
