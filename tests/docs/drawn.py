"""`python -m tests.docs.drawn`: every Mermaid diagram of the documents is one that Mermaid reads.

A browser without a window reads them with the very script that draws them on the site.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.docs.links import ROOT, lines, pages
from tests.docs.site import SCRIPTS

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_S = 60

_PAGE = """<!doctype html><meta charset="utf-8"><pre id="said"></pre>
<script src="{script}"></script>
<script type="module">
  const said = [];
  for (const text of {texts}) {{
    try {{ await mermaid.parse(text); said.push(""); }}
    catch (error) {{ said.push(String(error.message ?? error)); }}
  }}
  document.getElementById("said").textContent = JSON.stringify(said);
</script>"""


class Diagram(NamedTuple):
    place: str
    text: str


def diagrams(page: Path, root: Path = ROOT) -> Iterator[Diagram]:
    begun, inside = 0, list[str]()
    for number, line, fenced in lines(page.read_text("utf-8")):
        word = line.strip()
        if begun and word.startswith("```"):
            yield Diagram(f"{page.relative_to(root)}:{begun}", "\n".join(inside))
            begun, inside = 0, []
        elif begun:
            inside.append(line)
        elif fenced and word == "```mermaid":
            begun = number


def faults(found: Sequence[Diagram], browser: str) -> list[str]:
    script = SCRIPTS["mermaid.tiny.js"].as_uri()
    # A page's text ends a script at the first of these, in a string, too.
    texts = json.dumps([one.text for one in found]).replace("</", "<\\/")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        page.write_text(_PAGE.format(script=script, texts=texts), "utf-8")
        shown = subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu"),
                *(f"--user-data-dir={folder}/profile", "--virtual-time-budget=60000"),
                *("--dump-dom", page.as_uri()),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        ).stdout
    said = re.search(r'<pre id="said">(.*?)</pre>', shown, re.DOTALL)
    if not said or not said[1]:
        return ["the browser ended before it had read the diagrams"]
    answers = json.loads(html.unescape(said[1]))
    return [f"{one.place}: {answer}" for one, answer in zip(found, answers, strict=True) if answer]


def main() -> int:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("No chromium here: the diagrams were not read. Try: apt-get install chromium")
        return 0
    found = [diagram for page in pages() for diagram in diagrams(page)]
    wrong = faults(found, browser)
    print("\n".join(wrong) or f"{len(found)} diagrams")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
