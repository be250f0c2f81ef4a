"""`python -m tests.docs.site`: the documents as a site that needs no server and no network.

The pages are written for a host of Markdown. They are copied beside the READMEs into a folder of
their own, with the links that a site needs, and Zensical makes HTML of them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.docs.built import faults
from tests.docs.links import ELSEWHERE, ROOT, lines, rewritten
from tests.docs.nav import Homeless, navigation, toml

STAGE = ROOT / ".cache" / "docs" / "site"
OUT = ROOT / "out" / "docs"
NODE = ROOT / ".cache/docs/node/node_modules"
# Scripts that the theme would have fetched from elsewhere: docs/site/theme/main.html has them here.
SCRIPTS: Mapping[str, Path] = {
    "mermaid.tiny.js": NODE / "@mermaid-js/tiny/dist/mermaid.tiny.js",
    "iframe-worker.js": NODE / "iframe-worker/shim/index.js",
}

# Pages outside of docs/ that are pages of the site, too.
GUESTS: Mapping[str, str] = {
    "README.md": "overview.md",
    "README.ja.md": "ja.md",
    "README.zh-CN.md": "zh-CN.md",
    "CONTRIBUTING.md": "develop/contributing.md",
    "CHANGELOG.md": "changelog.md",
}
LANGUAGES: Mapping[str, str] = {"README.ja.md": "ja", "README.zh-CN.md": "zh"}
# Between lines of Chinese and Japanese there is no space, where a browser would show one.
_ENDS = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]$")
_BEGINS = re.compile(r"[^\s|#<>*+`-]")
_LIST = re.compile(r"(\s*)(?:[-*+]|\d+[.)])\s")


def placed(root: Path) -> dict[Path, str]:
    """Every page: where it is, and where the site has it."""
    docs = root / "docs"
    found = {page: page.relative_to(docs).as_posix() for page in sorted(docs.rglob("*.md"))}
    found |= {root / name: place for name, place in GUESTS.items() if (root / name).is_file()}
    return found


def stage(root: Path = ROOT, stage: Path = STAGE) -> None:
    shutil.rmtree(stage, ignore_errors=True)
    site = root / "docs" / "site"
    shutil.copytree(
        root / "docs", stage / "docs", ignore=shutil.ignore_patterns("*.md", "node_modules", "site")
    )
    (stage / "docs" / "site").mkdir()
    for name in ("kessai.css", "tally.svg"):
        shutil.copy(site / name, stage / "docs" / "site" / name)
    shutil.copytree(site / "theme", stage / "theme")
    places = placed(root)
    for page, place in places.items():
        text = for_the_site(page.read_text("utf-8"), Links(root, page, places, stage / "docs"))
        if language := LANGUAGES.get(page.relative_to(root).as_posix()):
            text = f"---\nlang: {language}\n---\n\n{without_gaps(text)}"
        target = stage / "docs" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    settings = (site / "zensical.toml").read_text("utf-8")
    nav = toml(navigation((stage / "docs").resolve()))
    (stage / "zensical.toml").write_text(settings.replace("NAVIGATION\n", nav), "utf-8")


class Links:
    """Where a link of a page leads on the site."""

    def __init__(self, root: Path, page: Path, places: Mapping[Path, str], docs: Path) -> None:
        self._root, self._page, self._places, self._docs = root, page, places, docs

    def __call__(self, target: str) -> str:
        name, hash_, anchor = target.partition("#")
        if ELSEWHERE.match(target) or not name:
            return target
        there = Path(os.path.normpath(self._page.parent / name))
        if there.is_dir():
            there = next(
                (there / i for i in ("index.md", "README.md") if (there / i).exists()), there
            )
        return self._from_here(self._place(there)) + hash_ + anchor

    def _place(self, there: Path) -> str:
        if there in self._places:
            return self._places[there]
        if there.is_relative_to(self._root / "docs"):
            return there.relative_to(self._root / "docs").as_posix()
        # A file of the repository: a copy of it, which every browser shows as text.
        files = [there] if there.is_file() else sorted(p for p in there.rglob("*") if p.is_file())
        name = there.relative_to(self._root).as_posix()
        copy = self._docs / "files" / f"{name}.txt"
        copy.parent.mkdir(parents=True, exist_ok=True)
        if there.is_file():
            shutil.copy(there, copy)
        else:
            listing = "".join(f"{p.relative_to(self._root).as_posix()}\n" for p in files)
            copy.write_text(listing, "utf-8")
        return f"files/{name}.txt"

    def _from_here(self, place: str) -> str:
        here = self._docs / self._places[self._page]
        return Path(os.path.relpath(self._docs / place, here.parent)).as_posix()


def for_the_site(text: str, change: Callable[[str], str]) -> str:
    """Links changed, and lists as Python's Markdown wants them: after an empty line, by fours."""
    done: list[str] = []
    for _, line, fenced in lines(text):
        item = None if fenced else _LIST.match(line)
        before = done[-1] if done else ""
        if item and before.strip() and not (_LIST.match(before) or before.startswith(" ")):
            done.append("")
        if item and item[1] and len(item[1]) % 4:
            line = " " * (4 * ((len(item[1]) + 3) // 4)) + line.lstrip()
        done.append(line if fenced else rewritten(line, change))
    return "\n".join(done) + "\n"


def without_gaps(text: str) -> str:
    done: list[str] = []
    for _, line, fenced in lines(text):
        before = done[-1] if done else ""
        goes_on = not fenced and _BEGINS.match(line) and not _LIST.match(line)
        if goes_on and _ENDS.search(before) and not before.startswith(("#", "|")):
            done[-1] += line
        else:
            done.append(line)
    return "\n".join(done) + "\n"


def build(root: Path = ROOT, stage_at: Path = STAGE, out: Path = OUT) -> list[str]:
    """What is wrong with the site; it is put at its place when nothing is."""
    try:
        stage(root, stage_at)
    except Homeless as wrong:
        return [str(wrong)]
    for name, script in SCRIPTS.items():
        shutil.copy(script, stage_at / "docs" / "site" / name)
    made = subprocess.run(
        [Path(sys.executable).with_name("zensical"), "build", "--clean", "--strict"],
        cwd=stage_at,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    said = re.sub(r"\x1b\[[0-9;]*m", "", made.stdout)
    if made.returncode or re.search(r"warn|error", said, re.IGNORECASE):
        return [f"zensical ended with {made.returncode} and said:", said.partition("Traceback")[0]]
    if found := list(faults(stage_at / "html")):
        return found
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(exist_ok=True)
    shutil.copytree(stage_at / "html", out)
    return []


def main() -> int:
    if not all(script.is_file() for script in SCRIPTS.values()):
        print(f"{NODE.relative_to(ROOT)} is not complete; run: make docs")
        return 1
    wrong = build()
    for line in wrong:
        print(line)
    if not wrong:
        pages = len(list(OUT.rglob("*.html")))
        print(f"{pages} pages: {OUT.relative_to(ROOT)}/index.html")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
