"""Edges between two columns: which run together, and on which upright track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kessai.saga.graph.flow import Edge, Kind, Way
from kessai.saga.graph.layers import Piece, Vertex
from kessai.saga.graph.placing import Places, leaves_at
from kessai.saga.graph.shapes import is_box

PORT_STEP, PILL_STEP = 15.0, 8.0
MAX_PORTS = 2
NEAR = 4.0
LEVEL = 0.5
CLEARANCE = 8.0
OVERLAP_COST = 50
MAX_WEIGHED = 60


@dataclass(slots=True, eq=False)
class Net:
    """What leads to one place; each end is a height and the side of the channel it lies on."""

    channel: int
    target: Vertex
    pieces: list[Piece]
    sink: float
    sink_left: bool
    sources: list[tuple[float, bool]]
    # How far from the middle of its target it arrives.
    port: float = 0
    track: int = 0
    top: float = 0
    bottom: float = 0

    @property
    def is_catch(self) -> bool:
        return self.pieces[0].edges[0].way is Way.CATCH

    @property
    def edges(self) -> list[Edge]:
        return [edge for piece in self.pieces for edge in piece.edges]

    @property
    def labels(self) -> list[str]:
        """Of what leaves a node here; further on they are not said again."""
        leaving = (piece for piece in self.pieces if piece.source.node is not None)
        return [label for piece in leaving for edge in piece.edges for label in edge.labels]

    def measure(self) -> None:
        self.sink += self.port
        heights = [self.sink, *(y for y, _ in self.sources)]
        self.top, self.bottom = min(heights), max(heights)

    @property
    def is_straight(self) -> bool:
        """Nothing upright is needed: one end at each side, at the same height."""
        opposite = all(left is not self.sink_left for _, left in self.sources)
        return opposite and self.bottom - self.top < LEVEL

    def heights(self, *, left: bool) -> list[float]:
        found = [y for y, is_left in self.sources if is_left is left]
        return [*found, self.sink] if self.sink_left is left else found


def nets_of(pieces: Sequence[Piece], places: Places) -> list[Net]:
    """Of one channel, each on its track."""
    groups: dict[tuple[Vertex, bool, Vertex | None], list[Piece]] = {}
    for piece in pieces:
        catches = piece.edges[0].way is Way.CATCH
        # Branches of one Choice may lead to one state, next to what else does.
        alone = piece.source if piece.source.node and _labelled(piece) else None
        groups.setdefault((piece.target, catches, alone), []).append(piece)
    nets = [_net(group, places) for group in groups.values()]
    _spread(nets)
    for net in nets:
        net.measure()
    _tracks(nets)
    return nets


def _labelled(piece: Piece) -> bool:
    return any(edge.labels and edge.way is not Way.CATCH for edge in piece.edges)


def _net(pieces: list[Piece], places: Places) -> Net:
    first = pieces[0]
    channel = first.channel
    sources = [
        (places.y[piece.source] + leaves_at(piece), piece.source.layer < channel)
        for piece in pieces
    ]
    target = first.target
    return Net(channel, target, pieces, places.y[target], target.layer < channel, sources)


def _spread(nets: Sequence[Net]) -> None:
    """Several nets that arrive at one box arrive one above the other."""
    arriving: dict[Vertex, list[Net]] = {}
    for net in nets:
        node = net.target.node
        if node is not None and (is_box(node) or node.kind is Kind.TRIGGER):
            arriving.setdefault(net.target, []).append(net)
    for target, group in arriving.items():
        step = PORT_STEP if target.node and is_box(target.node) else PILL_STEP
        middle = min(group, key=lambda net: (_lift(net) > LEVEL, net.is_catch, _lift(net)))
        others = [net for net in group if net is not middle]
        higher = sorted((net for net in others if _mean(net) < net.sink), key=_mean, reverse=True)
        lower = sorted((net for net in others if _mean(net) >= net.sink), key=_mean)
        for side, sign in ((higher, -1), (lower, 1)):
            for at, net in enumerate(side, 1):
                net.port = sign * step * min(at, MAX_PORTS)


def _mean(net: Net) -> float:
    return sum(y for y, _ in net.sources) / len(net.sources)


def _lift(net: Net) -> float:
    return abs(_mean(net) - net.sink)


def _tracks(nets: list[Net]) -> None:
    """An order with few crossings and no line upon another; then as few tracks as possible."""
    upright = [net for net in nets if not net.is_straight]
    # What goes furthest turns first, so that nothing that leaves one state crosses.
    upright.sort(key=lambda net: (net.sink < _mean(net), -abs(net.sink - _mean(net))))
    cost: dict[tuple[Net, Net], int] = {}
    if len(upright) <= MAX_WEIGHED:
        cost = {(one, two): _cost(one, two) for one in upright for two in upright}
        _improve(upright, cost)
    for at, net in enumerate(upright):
        net.track = max(
            (one.track + 1 for one in upright[:at] if _apart(one, net) or cost.get((net, one))),
            default=0,
        )


def _improve(upright: list[Net], cost: Mapping[tuple[Net, Net], int]) -> None:
    for _ in range(len(upright)):
        swapped = False
        for at in range(len(upright) - 1):
            one, two = upright[at : at + 2]
            if cost[two, one] < cost[one, two]:
                upright[at : at + 2] = [two, one]
                swapped = True
        if not swapped:
            return


def _apart(one: Net, two: Net) -> bool:
    return one.top < two.bottom + CLEARANCE and two.top < one.bottom + CLEARANCE


def _cost(one: Net, two: Net) -> int:
    """Of `one` lying at the left of `two`: what crosses, and what lies upon the other."""
    lefts, rights = two.heights(left=True), one.heights(left=False)
    crossings = sum(one.top < y < one.bottom for y in lefts)
    crossings += sum(two.top < y < two.bottom for y in rights)
    upon = sum(abs(y - other) < NEAR for y in lefts for other in rights)
    return crossings + OVERLAP_COST * upon


@dataclass(slots=True)
class Channel:
    """The room between two columns, or at either side of a row of them."""

    nets: list[Net] = field(default_factory=list)

    @property
    def tracks(self) -> int:
        return 1 + max((net.track for net in self.nets if not net.is_straight), default=-1)
