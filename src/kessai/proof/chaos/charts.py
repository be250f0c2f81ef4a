"""Charts as inline SVG: no script, no foreign file, colours from the page's own tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 720
_LEFT: Final = 132
_ROW: Final = 26
_LABEL: Final = 22


@dataclass(frozen=True, slots=True)
class Span:
    """A bar of the time line; `tone` is a class of the page."""

    lane: str
    began_s: float
    ended_s: float
    tone: str
    title: str


def time_line(spans: Sequence[Span], dots: Sequence[tuple[float, float]], length_s: float) -> str:
    """Faults in lanes, and above them each payment: when it was shown as PAID, after how long."""
    lanes = list(dict.fromkeys(span.lane for span in spans))
    plot, top = 120, 16
    height = top + plot + 24 + _ROW * len(lanes) + 28
    width = WIDTH - _LEFT - 12
    longest_s = max((after_s for _, after_s in dots), default=1.0)
    scale = _log_scale(max(1.0, longest_s))

    def x(at_s: float) -> float:
        return _LEFT + width * min(1.0, max(0.0, at_s / length_s))

    parts = [_axis_y(top, plot, scale, longest_s)]
    for at_s, after_s in dots:
        y = top + plot * (1 - scale(after_s))
        title = f"<title>PAID {after_s:.2f} s after the payment</title>"
        parts.append(
            f'<circle class="dot" cx="{x(at_s):.1f}" cy="{y:.1f}" r="2.2">{title}</circle>'
        )
    for row, lane in enumerate(lanes):
        y = top + plot + 24 + row * _ROW
        parts.append(_text(_LEFT - 8, y + 15, lane, "end"))
        parts.append(
            f'<line class="rule" x1="{_LEFT}" x2="{WIDTH - 12}" y1="{y + 22}" y2="{y + 22}"/>'
        )
        for span in spans:
            if span.lane == lane:
                left, right = x(span.began_s), x(span.ended_s)
                parts.append(
                    f'<rect class="bar {span.tone}" x="{left:.1f}" y="{y + 3}" '
                    f'width="{max(2.0, right - left):.1f}" height="16" rx="1">'
                    f"<title>{escape(span.title)}</title></rect>"
                )
    parts.append(_axis_x(x, length_s, height - 8))
    return _svg(height, parts, "Faults over time, and how long each payment took to be shown")


def bars(counts: Mapping[str, int], tones: Mapping[str, str], name: str) -> str:
    """One bar each, longest first, with its number."""
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    most = max((count for _, count in rows), default=1)
    left, parts = 268, []
    for row, (label, count) in enumerate(rows):
        y = row * _LABEL
        length = (WIDTH - left - 70) * count / most
        tone = tones.get(label.split(":")[0].split(".")[0].split(" ")[0], "nezu")
        parts.append(_text(left - 8, y + 15, label, "end"))
        parts.append(
            f'<rect class="bar {tone}" x="{left}" y="{y + 3}" width="{max(2.0, length):.1f}" '
            f'height="16" rx="1"/>'
        )
        parts.append(_text(left + max(2.0, length) + 6, y + 15, f"{count:,}", "start"))
    return _svg(max(_LABEL, len(rows) * _LABEL) + 4, parts, name)


def histogram(values_s: Sequence[float], name: str) -> str:
    """How many fell into each span of time, each span twice as long as the one before."""
    edges = [0.125 * 2**step for step in range(10)]
    labels = [f"≤ {edge:g} s" for edge in edges] + [f"> {edges[-1]:g} s"]
    counts = [0] * len(labels)
    for value in values_s:
        counts[next((n for n, edge in enumerate(edges) if value <= edge), len(edges))] += 1
    most, width, plot = max([*counts, 1]), (WIDTH - 24) / len(labels), 110
    parts = []
    for place, (label, count) in enumerate(zip(labels, counts, strict=True)):
        x, length = 12 + place * width, plot * count / most
        parts.append(
            f'<rect class="bar matsu" x="{x + 3:.1f}" y="{18 + plot - length:.1f}" '
            f'width="{width - 6:.1f}" height="{length:.1f}" rx="1"/>'
        )
        if count:
            parts.append(_text(x + width / 2, 14 + plot - length, str(count), "middle"))
        parts.append(_text(x + width / 2, plot + 34, label, "middle"))
    return _svg(plot + 44, parts, name)


def _log_scale(longest: float) -> _Scale:
    return _Scale(math.log1p(longest * 10))


@dataclass(frozen=True, slots=True)
class _Scale:
    """0 at 0 s, 1 at the longest; a tenth of a second and a minute are both seen."""

    whole: float

    def __call__(self, seconds: float) -> float:
        return math.log1p(max(0.0, seconds) * 10) / self.whole


def _axis_y(top: float, plot: float, scale: _Scale, longest_s: float) -> str:
    parts = []
    for tick_s in (0.1, 1, 5, 20, 60):
        if tick_s <= longest_s * 1.01:
            y = top + plot * (1 - scale(tick_s))
            parts.append(
                f'<line class="rule" x1="{_LEFT}" x2="{WIDTH - 12}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            parts.append(_text(_LEFT - 8, y + 4, f"{tick_s:g} s", "end"))
    y = top + plot
    parts.append(f'<line class="edge" x1="{_LEFT}" x2="{WIDTH - 12}" y1="{y}" y2="{y}"/>')
    return "".join(parts)


def _axis_x(x: Callable[[float], float], length_s: float, y: float) -> str:
    step_s = next(s for s in (5, 10, 30, 60, 300, 600, 3600, 86_400) if length_s / s <= 13)
    marks = range(0, int(length_s) + 1, step_s)
    return "".join(_text(x(at_s), y, _clock(at_s), "middle") for at_s in marks)


def _clock(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02d}"


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, parts: Sequence[str], name: str) -> str:
    return (
        f'<div class="chart"><svg viewBox="0 0 {WIDTH} {height:.0f}" font-size="11" role="img" '
        f'aria-label="{escape(name)}">{"".join(parts)}</svg></div>'
    )
