"""Colours and letters, light and dark; the tokens of the product's own look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

SANS = (
    '"Hiragino Sans","Noto Sans JP","Noto Sans CJK JP","Yu Gothic UI",Meiryo,system-ui,sans-serif'
)
MONO = 'ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace'

# Light, dark.
_TOKENS: Mapping[str, tuple[str, str]] = {
    "paper": ("#F5F6F3", "#0F1513"),
    "surface": ("#FFFFFF", "#161E1C"),
    "line": ("#D6DBD6", "#2B3734"),
    "edge": ("#7F8B87", "#71807B"),
    "ink": ("#17211F", "#E8EDE9"),
    "ink2": ("#46534F", "#B4C0BB"),
    "ink3": ("#5F6B68", "#93A09B"),
    "tetsu": ("#14474A", "#8ECBC5"),
    "tetsuT": ("#E1ECEA", "#16302F"),
    "matsu": ("#2A6332", "#8FCB8C"),
    "matsuT": ("#E4EFE0", "#182B1A"),
    "kikyo": ("#4A4898", "#B3B4F2"),
    "kikyoT": ("#E9E9F6", "#22233D"),
    "enji": ("#A01D3F", "#F491A5"),
    "enjiT": ("#F9E6E9", "#391721"),
    "nezu": ("#525E5A", "#AAB6B1"),
    "nezuT": ("#E8EBE8", "#222C2A"),
}
TONES = ("tetsu", "matsu", "kikyo", "enji", "nezu")

# Tone and word of what became of a state.
OUTCOMES: Mapping[str, tuple[str, str]] = {
    "RU": ("tetsu", "Running"),
    "SU": ("matsu", "Done"),
    "FA": ("enji", "Failed"),
    "UN": ("kikyo", "Unknown"),
    "SK": ("nezu", "Skipped"),
    "undone": ("nezu", "Compensated"),
}

# Strokes of 12 by 12.
ICONS: Mapping[str, str] = {
    "RU": "M3.5 2.2L9.8 6L3.5 9.8Z",
    "SU": "M2 6.4L4.8 9.2L10 3.2",
    "FA": "M2.6 2.6L9.4 9.4M9.4 2.6L2.6 9.4",
    "UN": "M3.6 4.2C3.6 1.4 8.4 1.4 8.4 4.2C8.4 6 6 6 6 7.8M6 10.1V10.2",
    "SK": "M2 2.6L6.4 6L2 9.4ZM9.6 2.6V9.4",
    "undone": "M4.6 2.2L2 4.8L4.6 7.4M2 4.8H7.2C11 4.8 11 9.8 7.2 9.8H5.4",
    "choice": "M1.8 6H5L9.6 2.4M5 6L9.6 9.6",
    "loop": "M9.9 4.2A4.4 4.4 0 1 0 10.4 6.6M10.3 1.6V4.4H7.5",
    "script": "M4.4 1.8C2.6 1.8 3.8 6 1.8 6C3.8 6 2.6 10.2 4.4 10.2"
    "M7.6 1.8C9.4 1.8 8.2 6 10.2 6C8.2 6 9.4 10.2 7.6 10.2",
    "machine": "M1.8 1.8H7.6V7.6H1.8ZM4.4 10.2H10.2V4.4",
}


def light(token: str) -> str:
    return _TOKENS[token][0]


def style() -> str:
    dark = "".join(_rules(1))
    return f"{''.join(_rules(0))}@media(prefers-color-scheme:dark){{{dark}}}"


def _rules(palette: int) -> Iterator[str]:
    def rule(selector: str, **properties: str) -> str:
        inner = ";".join(f"{name}:{_TOKENS[token][palette]}" for name, token in properties.items())
        return f".kessai-saga {selector}{{{inner}}}"

    if palette == 0:
        yield from _FORM
    for name in ("paper", "ink", "ink2", "ink3"):
        yield rule(f".{name}", fill=name)
    yield rule(".halo", stroke="paper")
    yield rule(".way", stroke="ink3")
    yield rule(".head", fill="ink3")
    yield rule(".dim .way,.kessai-saga .dim.way", stroke="edge")
    yield rule(".dim .head,.kessai-saga .dim.head", fill="edge")
    yield rule(".way.taken", stroke="matsu")
    yield rule(".head.taken", fill="matsu")
    yield rule(".way.taken.catch", stroke="kikyo")
    yield rule(".head.taken.catch", fill="kikyo")
    yield rule(".rule", stroke="line")
    yield rule(".shape", fill="surface", stroke="edge")
    yield rule(".mark", fill="ink3")
    yield rule(".icon", stroke="ink2")
    yield rule(".link", stroke="edge")
    for tone in TONES:
        yield rule(f".{tone} .shape", fill=f"{tone}T", stroke=tone)
        yield rule(f".{tone} .mark,.kessai-saga .word.{tone}", fill=tone)
        yield rule(f".{tone} .icon,.kessai-saga .icon.{tone}", stroke=tone)
        yield rule(f".{tone} .word", fill=tone)
        yield rule(f".link.{tone}", stroke=tone)


_FORM = (
    f".kessai-saga text{{font-family:{SANS}}}",
    f".kessai-saga .mono{{font-family:{MONO}}}",
    ".kessai-saga .way,.kessai-saga .link,.kessai-saga .icon,.kessai-saga .rule{fill:none}",
    ".kessai-saga .way{stroke-width:1.4}",
    ".kessai-saga .way.taken{stroke-width:2.4}",
    ".kessai-saga .catch{stroke-dasharray:6 4}",
    ".kessai-saga .head.catch{stroke-dasharray:none}",
    ".kessai-saga .link{stroke-width:1.8;stroke-linecap:round;stroke-dasharray:.1 5}",
    ".kessai-saga .shape{stroke-width:1.3}",
    ".kessai-saga .inner{fill:none}",
    ".kessai-saga .none .shape{stroke-dasharray:4 3}",
    ".kessai-saga .icon{stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}",
    ".kessai-saga .title{font-size:18px;font-weight:600}",
    ".kessai-saga .name{font-size:14px;font-weight:600}",
    ".kessai-saga .small{font-size:11px}",
    ".kessai-saga .word{font-size:12px;font-weight:600}",
    ".kessai-saga .halo{stroke-width:4;stroke-linejoin:round;paint-order:stroke}",
)
