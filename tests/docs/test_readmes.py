"""The READMEs of three languages say the same: headings, commands, tables, figures, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORIGINAL = "README.md"
TRANSLATIONS = ("README.ja.md", "README.zh-CN.md")

_FIGURE = re.compile(r"\d+(?:[,.]\d+)*")
_CODE = re.compile(r"`([^`]+)`")
_TARGET = re.compile(r"\]\(([^)\s]+)\)")
_ARROW = re.compile(r"^(\w+)\s*(--?>>|-\))\s*(\w+)\s*:|^(?:actor|participant)\s+(\w+)")
# An address without angles ends at the next blank only, and begins after one or a bracket.
_SWALLOWS = re.compile(r"[^\s<(\x00-\x7f]https?://|(?<![<(])https?://[!-;=?-~]*[^\x00-\x7f]")
# A picture of the pages is there once for each language.
_LANGUAGE = re.compile(r"\.(?:en|ja|zh-CN)(?=\.png$)")


@dataclass
class Section:
    """What every language must have in it, with the line where each was read."""

    title: str
    line: int
    level: int
    said: list[tuple[int, str]] = field(default_factory=list)

    def say(self, line: int, *facts: str) -> None:
        self.said.extend((line, fact) for fact in facts)


def sections(text: str) -> list[Section]:
    found = [Section("(top)", 1, 0)]
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fence = "" if fence else line
            found[-1].say(number, f"block {fence}" if fence else "end of a block")
        elif fence:
            found[-1].say(number, *in_block(fence, line))
        elif line.startswith("#"):
            level = len(line) - len(line.lstrip("#"))
            found.append(Section(line.strip("# "), number, level))
        elif line.startswith("|"):
            found[-1].say(number, in_row(line))
        elif line.startswith("- "):
            found[-1].say(number, "entry of a list")
    return found


def in_block(fence: str, line: str) -> Iterator[str]:
    """Commands without their comments, and the arrows of a picture without their words."""
    if fence == "```mermaid":
        if arrow := _ARROW.match(line.strip()):
            yield "arrow " + " ".join(part for part in arrow.groups() if part)
    elif fence == "```sh":
        yield "command " + re.sub(r"\s+#.*", "", line)
    else:
        yield "line " + line


def in_row(row: str) -> str:
    cells = row.strip().strip("|").split("|")
    facts = sorted(_FIGURE.findall(row)) + sorted(_CODE.findall(row))
    return f"row of {len(cells)}: " + " ".join(facts)


def named(text: str) -> list[str]:
    """Inline code, links, pictures and addresses outside of blocks, in no order."""
    prose = re.sub(r"<!--.*?-->|^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    targets = [_LANGUAGE.sub("", target) for target in _TARGET.findall(prose)]
    others = {ORIGINAL, *TRANSLATIONS}
    return sorted(
        _CODE.findall(prose)
        + [target for target in targets if target not in others]
        + re.findall(r"http://127\.0\.0\.1:\d+", prose)
    )


def differences(name: str, text: str, original: str) -> Iterator[str]:
    """`file:line: what` of the first difference of each section."""
    ours, theirs = sections(text), sections(original)
    if [one.level for one in ours] != [one.level for one in theirs]:
        titles = [f"{one.level} {one.title}" for one in ours]
        yield f"{name}:1: {len(ours) - 1} headings, {ORIGINAL} has {len(theirs) - 1}: {titles}"
        return
    for here, there in zip(ours, theirs, strict=True):
        facts, wanted = ([fact for _, fact in one.said] for one in (here, there))
        for index in range(max(len(facts), len(wanted))):
            fact, want = (
                side[index] if index < len(side) else "nothing" for side in (facts, wanted)
            )
            if fact != want:
                line = here.said[index][0] if index < len(here.said) else here.line
                at = there.said[index][0] if index < len(there.said) else there.line
                yield f"{name}:{line}: {fact!r}, but {ORIGINAL}:{at} has {want!r}"
                break


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("name", TRANSLATIONS)
def test_a_translation_has_the_same_headings_commands_tables_and_figures(name: str) -> None:
    assert list(differences(name, text(name), text(ORIGINAL))) == []


@pytest.mark.parametrize("name", TRANSLATIONS)
def test_a_translation_names_the_same_code_links_and_addresses(name: str) -> None:
    assert named(text(name)) == named(text(ORIGINAL))


@pytest.mark.parametrize("name", [ORIGINAL, *TRANSLATIONS])
def test_every_link_and_picture_leads_somewhere(name: str) -> None:
    for number, line in enumerate(text(name).splitlines(), 1):
        for target in _TARGET.findall(line):
            if not target.startswith(("http:", "https:", "#")):
                assert (ROOT / target.partition("#")[0]).exists(), f"{name}:{number}: {target}"


@pytest.mark.parametrize("name", [ORIGINAL, *TRANSLATIONS])
def test_an_address_ends_where_its_sentence_goes_on(name: str) -> None:
    prose = _CODE.sub("``", text(name))
    found = [
        f"{name}:{number}: put < and > around the address"
        for number, line in enumerate(prose.splitlines(), 1)
        if _SWALLOWS.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line", ["見る（http://a:1）ところ", "を、http://a:1 を", "http://a:1，把"]
)
def test_an_address_that_takes_words_along_is_found(line: str) -> None:
    assert _SWALLOWS.search(line)
    assert not _SWALLOWS.search(line.replace("http://a:1", "<http://a:1>"))


@pytest.mark.parametrize(
    ("name", "language"), [("README.ja.md", "ja"), ("README.zh-CN.md", "zh-CN")]
)
def test_a_translation_shows_the_pages_in_its_own_language(name: str, language: str) -> None:
    pictures = [one for one in _TARGET.findall(text(name)) if _LANGUAGE.search(one)]
    assert pictures
    assert all(one.endswith(f".{language}.png") for one in pictures), pictures


@pytest.mark.parametrize("name", [ORIGINAL, *TRANSLATIONS])
def test_the_two_commands_are_on_the_first_screen(name: str) -> None:
    first = text(name).splitlines()[:16]
    assert any(line.startswith("make up") for line in first)
    assert any(line.startswith("make test") for line in first)


SAMPLE = """# Shop

```sh
make up     # starts it
kessai slo  # the share
```

## Figures

| what | measured |
|---|---|
| purchase, 8 clients | 125 a second, `p50` 63 ms |
"""


@pytest.mark.parametrize(
    ("ours", "theirs", "line"),
    [
        ("kessai slo ", "kessai slo --json ", 5),
        ("125 a second", "152 a second", 12),
        ("`p50` 63 ms", "63 ms", 12),
        ("| what | measured |", "| what |", 10),
        ("```sh", "```text", 3),
        ("## Figures", "### Figures", 1),
    ],
)
def test_a_difference_is_found_with_its_line(ours: str, theirs: str, line: int) -> None:
    assert list(differences("t.md", SAMPLE, SAMPLE)) == []
    found = list(differences("t.md", SAMPLE.replace(ours, theirs), SAMPLE))
    assert [one.split(":")[:2] for one in found] == [["t.md", str(line)]]


def test_other_words_are_no_difference() -> None:
    other = SAMPLE.replace("starts it", "起動する").replace("125 a second", "毎秒 125 件")
    other = other.replace("Figures", "測定値")
    assert list(differences("t.md", other, SAMPLE)) == []
