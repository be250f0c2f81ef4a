"""The lines of a picture: each piece of an edge once, rounded where it turns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kessai.saga.graph.flow import Edge, Kind, Way
from kessai.saga.graph.frame import Frame, branch_label, catch_label
from kessai.saga.graph.layers import Layers, Piece, Vertex
from kessai.saga.graph.nets import Net
from kessai.saga.graph.placing import leaves_at
from kessai.saga.graph.shapes import DIAMOND, END_RADIUS, START_RADIUS, STOP_RADIUS

RADIUS = 7.0
HEAD = 9.0
LEVEL = 0.5

Point = tuple[float, float]

_HALF = {
    Kind.START: START_RADIUS,
    Kind.END: STOP_RADIUS,
    Kind.SUCCEED: END_RADIUS,
    Kind.FAIL: END_RADIUS,
    Kind.CHOICE: DIAMOND / 2,
}


@dataclass(frozen=True, slots=True)
class Line:
    points: tuple[Point, ...]
    is_catch: bool
    taken: bool
    head: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """`at_end`: the text ends at x, else it begins there."""

    x: float
    y: float
    text: str
    whole: str
    at_end: bool
    is_catch: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    lines: tuple[Line, ...]
    labels: tuple[Label, ...]


def drawn(layers: Layers, frame: Frame) -> Drawing:
    pen = _Pen(layers, frame)
    lines = [*pen.passing(), *(line for net in frame.nets for line in pen.net(net))]
    # What was taken is drawn over what was not.
    lines.sort(key=lambda line: line.taken)
    labels = tuple(label for net in frame.nets for label in pen.labels(net))
    return Drawing(tuple(lines), labels)


@dataclass(frozen=True, slots=True)
class _Ends:
    """`joining` begins with the piece that is drawn whole."""

    joining: list[Piece]
    outer: list[Piece]


class _Pen:
    def __init__(self, layers: Layers, frame: Frame) -> None:
        self._layers = layers
        self._places = frame.places
        self._frame = frame

    def passing(self) -> Iterator[Line]:
        """Through the columns that an edge only passes."""
        edges: dict[Vertex, list[Edge]] = {}
        for piece in self._layers.pieces:
            for vertex in (piece.source, piece.target):
                if vertex.node is None:
                    edges.setdefault(vertex, []).extend(piece.edges)
        for vertex, found in edges.items():
            column = self._frame.columns[vertex.layer]
            y = self._frame.y[vertex]
            points = ((column.left, y), (column.right, y))
            yield Line(points, _is_catch(found[0]), any(edge.taken for edge in found))

    def net(self, net: Net) -> Iterator[Line]:
        ends = self._ends(net)
        arrives = net.target.node is not None
        for at, piece in enumerate(ends.joining):
            points = self._points(net, piece)
            if at == 0:
                yield Line(points, net.is_catch, False, arrives)
            elif piece in ends.outer:
                yield Line(_to_level(points), net.is_catch, False)
            else:
                yield Line(_to_upright(points), net.is_catch, False)
        for piece in net.pieces:
            if any(edge.taken for edge in piece.edges):
                yield Line(self._points(net, piece), net.is_catch, True, arrives)

    def labels(self, net: Net) -> Iterator[Label]:
        sources = [piece for piece in net.pieces if piece.source.node is not None]
        if net.is_catch:
            for piece in sources:
                texts = [text for edge in piece.edges for text in edge.labels]
                x, y = self._leave(net, piece)
                if texts:
                    yield Label(x + 6, y + 12, catch_label(texts), ", ".join(texts), False, True)
        elif sources and (text := branch_label(net)):
            x, y = self._sink(net)
            whole = " / ".join(net.labels)
            shift = HEAD + 3 if net.target.node is not None else 4
            # Beneath the lower one of two lines that arrive together.
            up = 5 if net.port <= 0 else -11
            yield Label(x - shift, y - up, text, whole, True, False)

    def _ends(self, net: Net) -> _Ends:
        """One piece is drawn whole: straight on, else from above, else from below.

        The highest and the lowest of the others make the upright line, the rest join that.
        """
        pieces = sorted(net.pieces, key=self._height)
        if net in self._frame.gutter:
            turning = [piece for piece in pieces if self._turns(net, piece)]
            return _Ends([*(one for one in pieces if one not in turning), *turning], turning)
        outer = []
        if self._height(pieces[0]) < net.sink - LEVEL:
            outer.append(pieces[0])
        if self._height(pieces[-1]) > net.sink + LEVEL:
            outer.append(pieces[-1])
        level = [one for one in pieces if abs(self._height(one) - net.sink) <= LEVEL]
        first = (level or outer)[0]
        return _Ends([first, *(one for one in pieces if one is not first)], outer)

    def _turns(self, net: Net, piece: Piece) -> bool:
        return (piece.source.layer < net.channel) is net.sink_left

    def _height(self, piece: Piece) -> float:
        return self._places.y[piece.source] + leaves_at(piece)

    def _points(self, net: Net, piece: Piece) -> tuple[Point, ...]:
        start, end = self._leave(net, piece), self._sink(net)
        x = self._frame.x.get(net, 0.0)
        if net in self._frame.gutter:
            row, inner = self._frame.gutter[net]
            if self._turns(net, piece):
                x = x if net.sink_left else inner
                return (start, (x, start[1]), (x, end[1]), end)
            ways = [self._frame.x[net], inner]
            first, last = ways if piece.source.layer < net.channel else ways[::-1]
            return (start, (first, start[1]), (first, row), (last, row), (last, end[1]), end)
        if abs(start[1] - end[1]) < LEVEL and piece.source.layer != net.target.layer:
            return (start, end)
        return (start, (x, start[1]), (x, end[1]), end)

    def _leave(self, net: Net, piece: Piece) -> Point:
        vertex = piece.source
        y = self._frame.y[vertex] + leaves_at(piece)
        return self._side(vertex, right=vertex.layer < net.channel), y

    def _sink(self, net: Net) -> Point:
        offset = net.sink - self._places.y[net.target]
        vertex = net.target
        return self._side(vertex, right=net.sink_left), self._frame.y[vertex] + offset

    def _side(self, vertex: Vertex, *, right: bool) -> float:
        column = self._frame.columns[vertex.layer]
        if vertex.node is None:
            return column.right if right else column.left
        half = _HALF.get(vertex.node.kind)
        if half is not None:
            middle = (column.left + column.right) / 2
            return middle + half if right else middle - half
        own = self._places.extents[vertex].width
        span = self._frame.node_span(vertex, own)
        return span[1] if right else span[0]


def _to_level(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Up or down to where the other piece runs on, and into it."""
    if len(points) < 4:
        return points
    start, corner, turn, end = points[:4]
    return (start, corner, turn, (turn[0] + (RADIUS if end[0] > turn[0] else -RADIUS), turn[1]))


def _to_upright(points: tuple[Point, ...]) -> tuple[Point, ...]:
    if len(points) < 4:
        return points
    start, corner, turn = points[:3]
    step = min(RADIUS, abs(turn[1] - corner[1]))
    return (start, corner, (corner[0], corner[1] + (step if turn[1] > corner[1] else -step)))


def _is_catch(edge: Edge) -> bool:
    return edge.way is Way.CATCH


def rounded(points: tuple[Point, ...], shorten: float = 0.0) -> str:
    """An SVG path whose corners are round; `shorten` leaves room for a head."""
    if shorten:
        (x, y), before = points[-1], points[-2]
        points = (*points[:-1], (x - shorten if x >= before[0] else x + shorten, y))
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for at in range(1, len(points) - 1):
        before, corner, after = points[at - 1 : at + 2]
        near, far = _towards(corner, before), _towards(corner, after)
        path.append(f"L{near[0]:.1f} {near[1]:.1f}")
        path.append(f"Q{corner[0]:.1f} {corner[1]:.1f} {far[0]:.1f} {far[1]:.1f}")
    path.append(f"L{points[-1][0]:.1f} {points[-1][1]:.1f}")
    return "".join(path)


def _towards(corner: Point, other: Point) -> Point:
    length = abs(other[0] - corner[0]) + abs(other[1] - corner[1])
    step = min(RADIUS, length / 2)
    if length == 0:
        return corner
    return (
        corner[0] + (other[0] - corner[0]) / length * step,
        corner[1] + (other[1] - corner[1]) / length * step,
    )
