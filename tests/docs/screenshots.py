"""Makes the pictures of the READMEs: the pay page in each language, and the demo's terminal.

    .venv/bin/python -m tests.docs.screenshots          # all, into docs/images
    .venv/bin/python -m tests.docs.screenshots ja demo  # these alone

It starts a shop of its own on free ports, buys as a customer would, and ends it. It needs what
`make test-e2e` needs: the built pages and Debian's chromium.
"""

from __future__ import annotations

import html
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright
from tests.e2e.conftest import CHROMIUM, ROOT
from tests.e2e.shopper import WAIT_MS, Shopper
from tests.support.process import Processes, processes

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = ROOT / "docs" / "images"
# The language of a README: what the browser asks for, and how the page's switch names it.
LANGUAGES: Mapping[str, tuple[str, str]] = {
    "en": ("en-US", "en"),
    "ja": ("ja-JP", "ja"),
    "zh-CN": ("zh-CN", "zh"),
}
DEMO = "demo"
WINDOW = (1180, 760)
COLUMNS = 88

# Rich writes a table's title in italics, also where it needs two lines.
_TABLE = re.compile(r"(?:[^\n]*\x1b\[3m[^\n]*\n)+[^\n]*┏.*?└[^\n]*\n", re.DOTALL)
_TOLD = re.compile("the webhook is lost|Rule A")
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_TONES = {"1": "font-weight:600", "3": "font-style:italic", "31": "color:#F491A5"}
_TONES |= {"32": "color:#8FCB8C", "33": "color:#E4B84E", "92": "color:#8FCB8C"}
_TERMINAL = """<!doctype html><meta charset="utf-8"><body style="margin:0;background:#0F1513">
<div style="display:inline-block;padding:20px 24px"><pre style="margin:0;color:#E8EDE9;
font:13px/16px 'DejaVu Sans Mono',monospace">%s</pre></div></body>"""


def main(wanted: Sequence[str]) -> int:
    """Writes the pictures and prints their names."""
    if unknown := set(wanted) - {*LANGUAGES, DEMO}:
        raise SystemExit(f"No such picture: {', '.join(sorted(unknown))}")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with shop() as system, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        for name in wanted or [*LANGUAGES, DEMO]:
            if name == DEMO:
                demo(browser, system.run(DEMO, COLUMNS=str(COLUMNS), FORCE_COLOR="1"))
            else:
                pay_pages(browser, system, name)
        browser.close()
    return 0


@contextmanager
def shop() -> Iterator[Processes]:
    pages = ROOT / "frontend" / "dist"
    if not (pages / "index.html").is_file():
        raise SystemExit("The pages are not built: make pages")
    with (
        tempfile.TemporaryDirectory() as folder,
        processes(Path(folder), KESSAI_FRONTEND_DIR=str(pages)) as made,
    ):
        made.start("up")
        yield made


def pay_pages(browser: Browser, system: Processes, name: str) -> None:
    """The same order while its code waits, and with the seal."""
    locale, language = LANGUAGES[name]
    width, height = WINDOW
    context = browser.new_context(
        locale=locale,
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        timezone_id="Asia/Tokyo",
    )
    context.add_init_script(f"localStorage.setItem('kessai.language', '{language}')")
    page = context.new_page()
    shopper = Shopper(page, system)
    shopper.sign_in()
    order_id = shopper.order()
    shopper.phase("waiting")
    shopper.link("live")
    keep(page, f"pay-waiting.{name}.png")
    shopper.wallet.press("pay", order_id)
    shopper.phase("paid")
    keep(page, f"pay-paid.{name}.png")
    context.close()


def demo(browser: Browser, output: str) -> None:
    page = browser.new_page(device_scale_factor=2)
    page.set_content(_TERMINAL % as_html(excerpt(output)))
    keep(page, "demo.png", "div")


def excerpt(output: str) -> str:
    """Of the tables only those that differ from a quiet day: the others fill two screens."""

    def told(table: re.Match[str]) -> str:
        title = table[0].partition("┏")[0]
        return table[0] if _TOLD.search(title) else ""

    return _TABLE.sub(told, output)


def as_html(text: str) -> str:
    """Terminal text with its colours, as spans."""
    shown, at, style = [], 0, ""
    for code in _SGR.finditer(text):
        shown.append(span(text[at : code.start()], style))
        codes = [one for one in code[1].split(";") if one]
        style = ";".join(_TONES[one] for one in codes if one in _TONES)
        at = code.end()
    return "".join([*shown, span(text[at:], style)])


def span(text: str, style: str) -> str:
    escaped = html.escape(text)
    return f'<span style="{style}">{escaped}</span>' if style and text else escaped


def keep(page: Page, name: str, selector: str = "body") -> None:
    path = IMAGES / name
    page.wait_for_timeout(500)
    if selector == "body":
        page.screenshot(path=path, timeout=WAIT_MS)
    else:
        page.locator(selector).screenshot(path=path, timeout=WAIT_MS)
    # Flat pictures: a palette is enough, and the repository stays small.
    with Image.open(path) as picture:
        flat = picture.convert("RGB").quantize(method=Image.Quantize.MAXCOVERAGE)
    flat.save(path, optimize=True)
    print(path.relative_to(ROOT))  # noqa: T201 - what a command tells


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
