"""Draws one node: its shape, its words and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kessai.saga.graph import look, shapes
from kessai.saga.graph.flow import Kind, Node
from kessai.saga.graph.markup import element, text
from kessai.saga.graph.text import shortened, width
from kessai.saga.language.model import Task

RADIUS = 4.0
BASELINE = 5.0


@dataclass(frozen=True, slots=True)
class Spot:
    """The middle line of a node and how far it reaches to both sides."""

    left: float
    right: float
    y: float

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2

    @property
    def width(self) -> float:
        return self.right - self.left


@dataclass(frozen=True, slots=True)
class Stage:
    """Whether an outcome is shown at all, and which nodes were passed."""

    has_outcome: bool
    passed: dict[Node, None]

    def tone(self, node: Node) -> str:
        """The class that colours a node; `none` draws it dashed, as not reached."""
        if node.outcome in look.OUTCOMES:
            return look.OUTCOMES[node.outcome][0]
        if self.has_outcome and node not in self.passed and not node.outcome:
            return "none"
        if node.kind is Kind.TRIGGER:
            return "kikyo"
        if node.kind is Kind.SUCCEED:
            return "matsu"
        return "enji" if node.kind is Kind.FAIL else "plain"


def draw(node: Node, spot: Spot, stage: Stage) -> str:
    match node.kind:
        case Kind.START:
            inner = _disc(spot, shapes.START_RADIUS, "ink")
        case Kind.END:
            inner = _ring(spot)
        case Kind.CHOICE:
            inner = _choice(node, spot)
        case Kind.SUCCEED | Kind.FAIL:
            inner = _end(node, spot)
        case Kind.TRIGGER:
            inner = _trigger(node, spot)
        case _:
            inner = _box(node, spot, stage)
    return element("g", inner, class_=f"node {stage.tone(node)}", label=_spoken(node, stage))


def beneath(node: Node, spot: Spot, stage: Stage) -> Iterator[str]:
    """What undoes a node, or a chip that names what does and is drawn elsewhere."""
    y = spot.y + shapes.BOX_HEIGHT / 2
    below = Spot(spot.left, spot.right, y + shapes.UNDO_GAP + shapes.BOX_HEIGHT / 2)
    if node.beneath is not None:
        tone = look.OUTCOMES.get(node.beneath.outcome, ("", ""))[0]
        down = _down(spot.middle, y, shapes.UNDO_GAP)
        yield element("path", d=down, class_=f"link {tone}".strip())
        yield draw(node.beneath, below, stage)
        y = below.y + shapes.BOX_HEIGHT / 2
    undo = (node.beneath or node).undo
    if undo is not None:
        yield element("path", d=_down(spot.middle, y, shapes.CHIP_GAP), class_="link")
        yield _chip(undo, spot.middle, y + shapes.CHIP_GAP)


def icon(name: str, x: float, y: float, class_: str = "icon") -> str:
    """Of 12 by 12, around its middle."""
    return element("path", d=look.ICONS[name], class_=class_, transform=_moved(x - 6, y - 6))


def _down(x: float, y: float, length: float) -> str:
    return f"M{x:.1f} {y + 3:.1f}V{y + length - 2:.1f}"


def _moved(x: float, y: float) -> str:
    return f"translate({x:.1f} {y:.1f})"


def _spoken(node: Node, stage: Stage) -> str:
    """What a pointer or a screen reader is told."""
    if node.state is None:
        return "Start" if node.kind is Kind.START else "End"
    parts = [node.name, _KINDS[node.kind]]
    parts += [part for part in (shapes.code(node), shapes.notes(node)) if part]
    if isinstance(node.state, Task) and node.state.compensate_state is not None:
        parts.append(f"undone by {node.state.compensate_state}")
    if node.outcome in look.OUTCOMES:
        parts.append(look.OUTCOMES[node.outcome][1])
    elif stage.tone(node) == "none":
        parts.append("not reached")
    return ", ".join(parts)


_KINDS = {
    Kind.TASK: "service task",
    Kind.SCRIPT: "script task",
    Kind.SUB: "sub machine",
    Kind.UNDO_SUB: "compensates a sub machine",
    Kind.CHOICE: "choice",
    Kind.TRIGGER: "compensation trigger",
    Kind.SUCCEED: "succeed",
    Kind.FAIL: "fail",
}


def _disc(spot: Spot, radius: float, class_: str) -> str:
    return element("circle", cx=spot.middle, cy=spot.y, r=radius, class_=class_)


def _ring(spot: Spot) -> str:
    ring = _disc(spot, shapes.STOP_RADIUS - 0.7, "shape")
    return ring + _disc(spot, shapes.STOP_RADIUS - 3.5, "mark")


def _choice(node: Node, spot: Spot) -> str:
    half = shapes.DIAMOND / 2 - 0.7
    x, y = spot.middle, spot.y
    points = f"{x - half:.1f},{y:.1f} {x:.1f},{y - half:.1f} {x + half:.1f},{y:.1f}"
    outline = element("polygon", points=f"{points} {x:.1f},{y + half:.1f}", class_="shape")
    sign = icon("choice", x, y)
    return outline + sign + _under(node.name, x, y + shapes.DIAMOND / 2)


def _under(name: str, x: float, y: float) -> str:
    return text(shapes.caption(name), x, y + shapes.CAPTION - 4, "name ink halo", anchor="middle")


def _end(node: Node, spot: Spot) -> str:
    mark = icon("SU" if node.kind is Kind.SUCCEED else "FA", spot.middle, spot.y)
    y = spot.y + shapes.END_RADIUS
    parts = [_disc(spot, shapes.END_RADIUS - 0.7, "shape"), mark, _under(node.name, spot.middle, y)]
    for at, note in enumerate(shapes.end_notes(node), 1):
        short = shortened(note, shapes.CODE_SIZE, shapes.CAPTION_MAX, mono=True)
        below = y + shapes.CAPTION * (at + 1) - 4
        parts.append(text(short, spot.middle, below, "small mono ink2 halo", anchor="middle"))
    return "".join(parts)


def _trigger(node: Node, spot: Spot) -> str:
    height = shapes.PILL_HEIGHT
    outline = _rectangle(spot, height, height / 2)
    room = spot.width - 2 * shapes.PADDING - shapes.SIGN
    name = shortened(node.name, shapes.NAME_SIZE, room)
    left = spot.left + shapes.PADDING
    words = text(name, left + shapes.SIGN, spot.y + BASELINE, "name ink")
    return outline + icon("undone", left + 8, spot.y) + words


def _rectangle(spot: Spot, height: float, radius: float, inset: float = 0.65) -> str:
    return element(
        "rect",
        x=spot.left + inset,
        y=spot.y - height / 2 + inset,
        width=spot.width - 2 * inset,
        height=height - 2 * inset,
        rx=radius,
        class_="shape" if inset < 1 else "shape inner",
    )


def _box(node: Node, spot: Spot, stage: Stage) -> str:
    left, top = spot.left + shapes.PADDING, spot.y - shapes.BOX_HEIGHT / 2
    inner = spot.width - 2 * shapes.PADDING
    parts = [_rectangle(spot, shapes.BOX_HEIGHT, RADIUS)]
    if node.kind in (Kind.SUB, Kind.UNDO_SUB):
        parts.append(_rectangle(spot, shapes.BOX_HEIGHT, RADIUS - 1.5, inset=4))
    foot = "".join(_foot(node, spot, stage))
    # Two lines alone stand in the middle.
    top += 0 if foot else 8
    parts.append(_sign(node, left + 8, top + 25))
    is_loop = isinstance(node.state, Task) and node.state.loop is not None
    room = inner - shapes.SIGN - (16 if is_loop else 0)
    if is_loop:
        parts.append(icon("loop", spot.right - shapes.PADDING - 5, top + 21))
    name = shortened(node.name, shapes.NAME_SIZE, room)
    code = shortened(shapes.code(node), shapes.CODE_SIZE, inner - shapes.SIGN, mono=True)
    parts.append(text(name, left + shapes.SIGN, top + 24, "name ink"))
    parts.append(text(code, left + shapes.SIGN, top + 39, "small mono ink2"))
    return "".join(parts) + foot


def _foot(node: Node, spot: Spot, stage: Stage) -> Iterator[str]:
    """The outcome in words, and at its side how the state is run."""
    left, y = spot.left + shapes.PADDING, spot.y + shapes.BOX_HEIGHT / 2 - 11
    room = spot.width - 2 * shapes.PADDING
    if node.outcome in look.OUTCOMES:
        word = look.OUTCOMES[node.outcome][1]
        yield icon(node.outcome, left + 6, y - 4)
        yield text(word, left + 18, y, "word")
        room -= 18 + width(word, 12) + 8
        at, anchor = spot.right - shapes.PADDING, "end"
    elif stage.tone(node) == "none" and not shapes.notes(node):
        yield text("Not yet", left, y, "small ink3")
        return
    else:
        at, anchor = left, "start"
    yield text(shapes.notes(node, room), at, y, "small ink3", anchor=anchor)


def _sign(node: Node, x: float, y: float) -> str:
    """Half a disc: the left half goes forward, the right half takes back."""
    if node.kind is Kind.SCRIPT:
        return icon("script", x, y)
    if node.kind is Kind.SUB:
        return icon("machine", x, y)
    sweep = 1 if node.undoes else 0
    half = f"M{x:.1f} {y - 7:.1f}A7 7 0 0 {sweep} {x:.1f} {y + 7:.1f}Z"
    ring = element("circle", cx=x, cy=y, r=7, class_="icon", style="stroke-width:1")
    return ring + element("path", d=half, class_="mark")


def _chip(name: str, x: float, y: float) -> str:
    size = shapes.chip_width(name)
    middle = y + shapes.CHIP_HEIGHT / 2
    spot = Spot(x - size / 2, x + size / 2, middle)
    short = shortened(name, shapes.NOTE_SIZE, size - 32)
    words = text(short, spot.left + 24, middle + 4, "small ink2")
    inner = _rectangle(spot, shapes.CHIP_HEIGHT, 2) + icon("undone", spot.left + 13, middle) + words
    return element("g", inner, class_="none", label=f"undone by {name}, which is drawn elsewhere")
