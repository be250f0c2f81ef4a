"""A machine as one SVG, with its title, its legend and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kessai.saga.graph import look, nodes, shapes
from kessai.saga.graph.flow import Flow, Node, Way, flow_of
from kessai.saga.graph.frame import MARGIN, Frame, framed
from kessai.saga.graph.layers import Layers, Vertex, layers_of
from kessai.saga.graph.lines import HEAD, Drawing, Label, Line, drawn, rounded
from kessai.saga.graph.markup import element, escaped, text
from kessai.saga.graph.nodes import Spot, Stage
from kessai.saga.graph.text import shortened, width
from kessai.saga.language.model import Machine

MIN_WIDTH = 460.0
TITLE_TOP = 36.0
LEGEND_ROW = 22.0


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that is drawn, with its place; the boxes of nodes for whoever asks."""

    flow: Flow
    frame: Frame
    drawing: Drawing
    stage: Stage
    spots: tuple[tuple[Vertex, Node, Spot], ...]


def to_svg(machine: Machine, outcome: Mapping[str, str] | None = None) -> str:
    """`outcome`: by state SU, FA, UN, RU, SK or undone, for what has been reached."""
    picture = laid_out(machine, outcome)
    legend = list(_legend_items(picture))
    size = max(picture.frame.width, MIN_WIDTH)
    rows = _legend_rows(legend, size - 2 * MARGIN)
    height = picture.frame.height + len(rows) * LEGEND_ROW + MARGIN
    title = f"{machine.name or 'State machine'}: saga"
    inner = "".join(
        [
            f"<title>{escaped(title)}</title>",
            f"<desc>{escaped(_description(machine, outcome))}</desc>",
            f"<style>{look.style()}</style>",
            element("rect", width=size, height=height, class_="paper"),
            _heading(machine, size),
            *_lines(picture),
            *_nodes(picture),
            *_labels(picture),
            *_legend(rows, size, picture.frame.height),
        ]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="kessai-saga" role="img"'
        f' aria-label="{escaped(title)}" width="{size:.0f}" height="{height:.0f}"'
        f' viewBox="0 0 {size:.0f} {height:.0f}">{inner}</svg>\n'
    )


def laid_out(machine: Machine, outcome: Mapping[str, str] | None = None) -> Picture:
    flow = flow_of(machine, outcome)
    layers = layers_of(flow)
    top = TITLE_TOP + (52 if machine.comment else 34)
    frame = framed(layers, top)
    passed = {
        node: None for edge in flow.edges if edge.taken for node in (edge.source, edge.target)
    }
    stage = Stage(bool(outcome), passed)
    return Picture(flow, frame, drawn(layers, frame), stage, tuple(_spots(layers, frame)))


def _spots(layers: Layers, frame: Frame) -> Iterator[tuple[Vertex, Node, Spot]]:
    for column in layers.columns:
        for vertex in column:
            if vertex.node is not None:
                left, right = frame.node_span(vertex, frame.places.extents[vertex].width)
                yield vertex, vertex.node, Spot(left, right, frame.y[vertex])


def _description(machine: Machine, outcome: Mapping[str, str] | None) -> str:
    parts = [f"{len(machine.states)} states, from {machine.start_state}."]
    for name, status in (outcome or {}).items():
        word = look.OUTCOMES.get(status, ("", status))[1]
        parts.append(f"{name}: {word}.")
    return " ".join(parts)


def _heading(machine: Machine, size: float) -> str:
    room = size - 2 * MARGIN
    name = shortened(machine.name or "(no name)", 18, room)
    parts = [text(name, MARGIN, TITLE_TOP, "title ink")]
    used = width(name, 18) + 14
    if machine.version and used < room - 40:
        version = shortened(machine.version, 12, room - used, mono=True)
        parts.append(text(version, MARGIN + used, TITLE_TOP, "small mono ink3"))
    if machine.comment:
        comment = shortened(machine.comment, 12, room)
        parts.append(text(comment, MARGIN, TITLE_TOP + 20, "small ink2"))
    return "".join(parts)


def _lines(picture: Picture) -> Iterator[str]:
    for line in picture.drawing.lines:
        yield _line(line, dim=picture.stage.has_outcome and not line.taken)
    for _, node, spot in picture.spots:
        for edge in picture.flow.edges:
            if edge.source is node and edge.target is node:
                yield _self_loop(spot, taken=edge.taken)


def _line(line: Line, *, dim: bool) -> str:
    kind = ("catch " if line.is_catch else "") + ("taken" if line.taken else "dim" if dim else "")
    path = element(
        "path", d=rounded(line.points, HEAD - 2 if line.head else 0), class_=f"way {kind}".strip()
    )
    return path + (_head(*line.points[-1], kind) if line.head else "")


def _head(x: float, y: float, kind: str) -> str:
    points = f"{x:.1f},{y:.1f} {x - HEAD:.1f},{y - 4.5:.1f} {x - HEAD:.1f},{y + 4.5:.1f}"
    return element("polygon", points=points, class_=f"head {kind}".strip())


def _self_loop(spot: Spot, *, taken: bool) -> str:
    top = spot.y - shapes.BOX_HEIGHT / 2
    start, end = spot.middle + 18, spot.middle - 18
    way = f"M{start:.1f} {top:.1f}V{top - 8:.1f}Q{start:.1f} {top - 14:.1f} {start - 6:.1f} "
    way += f"{top - 14:.1f}H{end + 6:.1f}Q{end:.1f} {top - 14:.1f} {end:.1f} {top - 8:.1f}"
    kind = "taken" if taken else ""
    points = f"{end:.1f},{top:.1f} {end - 4.5:.1f},{top - 9:.1f} {end + 4.5:.1f},{top - 9:.1f}"
    head = element("polygon", points=points, class_=f"head {kind}".strip())
    return element("path", d=way, class_=f"way {kind}".strip()) + head


def _nodes(picture: Picture) -> Iterator[str]:
    for _, node, spot in picture.spots:
        yield nodes.draw(node, spot, picture.stage)
        yield from nodes.beneath(node, spot, picture.stage)


def _labels(picture: Picture) -> Iterator[str]:
    for label in picture.drawing.labels:
        class_ = "small ink3 halo" if label.is_catch else "small mono ink2 halo"
        anchor = "end" if label.at_end else "start"
        words = text(label.text, label.x, label.y, class_, anchor=anchor)
        yield element("g", words, label=_spoken(label))


def _spoken(label: Label) -> str:
    return f"catches {label.whole}" if label.is_catch else f"if {label.whole}"


_Item = tuple[str, str, float]


def _legend_items(picture: Picture) -> Iterator[_Item]:
    """Only what can be seen: sign, word, width."""
    ways = {edge.way: None for edge in picture.flow.edges}
    shown = [node for _, node, _ in picture.spots]
    shown += [node.beneath for node in shown if node.beneath is not None]
    yield "way", "next", 24
    if Way.CATCH in ways:
        yield "way catch", "on exception", 24
    if any(node.undoes or node.undo for node in shown):
        yield "link", "undone by", 24
    if picture.stage.has_outcome:
        yield "way taken", "taken", 24
    outcomes = {node.outcome for node in shown}
    for status, (_, word) in look.OUTCOMES.items():
        if status in outcomes:
            yield status, word, 16
    if any(picture.stage.tone(node) == "none" for node in shown):
        yield "none", "Not yet", 24


def _legend_rows(items: list[_Item], room: float) -> list[list[tuple[_Item, float]]]:
    rows: list[list[tuple[_Item, float]]] = [[]]
    at = 0.0
    for item in items:
        needed = item[2] + 8 + width(item[1], 11) + 22
        if rows[-1] and at + needed > room:
            rows.append([])
            at = 0.0
        rows[-1].append((item, at))
        at += needed
    return rows


def _legend(rows: list[list[tuple[_Item, float]]], size: float, top: float) -> Iterator[str]:
    yield element("path", d=f"M{MARGIN:.1f} {top:.1f}H{size - MARGIN:.1f}", class_="rule")
    for at, row in enumerate(rows):
        y = top + LEGEND_ROW * (at + 1)
        for (sign, word, sign_width), x in row:
            left = MARGIN + x
            yield _sample(sign, left, y - 4)
            yield text(word, left + sign_width + 8, y, "small ink2")


def _sample(sign: str, x: float, y: float) -> str:
    if sign in look.OUTCOMES:
        return nodes.icon(sign, x + 8, y, f"icon {look.OUTCOMES[sign][0]}")
    if sign == "none":
        box = element("rect", x=x + 2, y=y - 6, width=20, height=12, rx=2, class_="shape")
        return element("g", box, class_="none")
    return element("path", d=f"M{x:.1f} {y:.1f}h24", class_=sign)
