"""Which column a node stands in, and in which order: longest paths, then barycentres."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kessai.saga.graph.flow import Edge, Flow, Node, Way

SWEEPS, FEW_SWEEPS = 12, 4
LARGE = 2_000


@dataclass(slots=True, eq=False)
class Vertex:
    """A node in its column, or (node None) the place where a long edge passes a column."""

    layer: int
    node: Node | None = None
    labelled: bool = False


@dataclass(slots=True, eq=False)
class Piece:
    """The part of some edges between two columns, drawn once: edges to one state flow together.

    `left` and `right` say on which side of the channel it ends; both are on one side where an
    edge turns back.
    """

    channel: int
    source: Vertex
    target: Vertex
    edges: list[Edge]
    back: bool = False

    @property
    def turns(self) -> bool:
        return self.source.layer == self.target.layer

    @property
    def left(self) -> Vertex:
        return self.source if self.source.layer < self.target.layer else self.target

    @property
    def right(self) -> Vertex:
        return self.target if self.source.layer < self.target.layer else self.source


@dataclass(slots=True)
class Layers:
    columns: list[list[Vertex]]
    pieces: list[Piece]
    loops: list[Edge] = field(default_factory=list)


def layers_of(flow: Flow) -> Layers:
    backward = _backward(flow)
    loops = [edge for edge in flow.edges if edge.source is edge.target]
    forward = [edge for edge in flow.edges if edge not in backward and edge not in loops]
    rank = _ranks(flow.nodes, forward)
    weave = _Weave(flow.nodes, rank)
    for edge in flow.edges:
        if edge in backward:
            weave.turn_back(edge)
        elif edge.source is not edge.target:
            weave.lead_on(edge)
    columns = _ordered(weave.columns, weave.pieces)
    return Layers(columns, weave.pieces, loops)


def _backward(flow: Flow) -> dict[Edge, None]:
    """Edges that close a cycle, seen from the start on; without them there is none."""
    after = _after(flow.edges)
    state: dict[Node, int] = {}
    found: dict[Edge, None] = {}
    for root in flow.nodes:
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(after.get(root, ())))]
        while stack:
            node, edges = stack[-1]
            edge = next(edges, None)
            if edge is None:
                state[node] = 2
                stack.pop()
            elif state.get(edge.target) == 1 and edge.target is not node:
                found[edge] = None
            elif edge.target not in state:
                state[edge.target] = 1
                stack.append((edge.target, iter(after.get(edge.target, ()))))
    return found


def _ranks(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[Node, int]:
    """The longest way from a root; what has no way to it moves up to what follows it."""
    after, open_ = _after(edges), dict.fromkeys(nodes, 0)
    for edge in edges:
        open_[edge.target] += 1
    rank = dict.fromkeys(nodes, 0)
    roots = [node for node in nodes if open_[node] == 0]
    pending = list(roots)
    while pending:
        node = pending.pop()
        for edge in after.get(node, ()):
            rank[edge.target] = max(rank[edge.target], rank[node] + 1)
            open_[edge.target] -= 1
            if open_[edge.target] == 0:
                pending.append(edge.target)
    for node in roots[1:]:
        followers = [rank[edge.target] for edge in after.get(node, ())]
        # Beside the start mark nothing else begins.
        rank[node] = max(min(followers) - 1, 0) if followers else 1
    return rank


def _after(edges: Iterable[Edge]) -> dict[Node, list[Edge]]:
    found: dict[Node, list[Edge]] = {}
    for edge in edges:
        found.setdefault(edge.source, []).append(edge)
    return found


class _Weave:
    """Cuts edges into pieces from column to column."""

    def __init__(self, nodes: Sequence[Node], rank: Mapping[Node, int]) -> None:
        self.columns: list[list[Vertex]] = [[] for _ in range(max(rank.values()) + 1)]
        self.pieces: list[Piece] = []
        self._vertices = {node: Vertex(rank[node], node) for node in nodes}
        self._passing: dict[tuple[object, ...], Vertex] = {}
        self._pieces: dict[tuple[Vertex, Vertex, bool], Piece] = {}
        for vertex in self._vertices.values():
            self.columns[vertex.layer].append(vertex)

    def lead_on(self, edge: Edge) -> None:
        source, target = self._vertices[edge.source], self._vertices[edge.target]
        at = source
        for layer in range(source.layer + 1, target.layer):
            at = self._join(at, self._pass(layer, edge, first=at is source), edge, layer)
        self._join(at, target, edge, target.layer)

    def turn_back(self, edge: Edge) -> None:
        source, target = self._vertices[edge.source], self._vertices[edge.target]
        at = self._pass(source.layer, edge, first=True)
        self._join(source, at, edge, source.layer + 1, back=True)
        for layer in range(source.layer - 1, target.layer - 1, -1):
            at = self._join(at, self._pass(layer, edge, first=False), edge, layer + 1, back=True)
        self._join(at, target, edge, target.layer, back=True)

    def _pass(self, layer: int, edge: Edge, *, first: bool) -> Vertex:
        """Edges of one kind to one state share their way; branches part before they join it."""
        kind = "catch" if edge.way is Way.CATCH else "next"
        alone = edge if first and edge.labels and edge.way is not Way.CATCH else None
        key = (layer, edge.target, kind, alone)
        if key not in self._passing:
            self._passing[key] = vertex = Vertex(layer, labelled=alone is not None)
            self.columns[layer].append(vertex)
        return self._passing[key]

    def _join(
        self, source: Vertex, target: Vertex, edge: Edge, channel: int, *, back: bool = False
    ) -> Vertex:
        """`channel` n lies at the left of column n."""
        key = (source, target, edge.way is Way.CATCH)
        if key not in self._pieces:
            self._pieces[key] = piece = Piece(channel, source, target, [], back)
            self.pieces.append(piece)
        self._pieces[key].edges.append(edge)
        return target


def _ordered(columns: list[list[Vertex]], pieces: Sequence[Piece]) -> list[list[Vertex]]:
    """Of all sweeps the one with the fewest crossings; the first one wins a draw."""
    straight = [piece for piece in pieces if not piece.turns]
    before: dict[Vertex, list[Vertex]] = {}
    after: dict[Vertex, list[Vertex]] = {}
    for piece in straight:
        after.setdefault(piece.left, []).append(piece.right)
        before.setdefault(piece.right, []).append(piece.left)
    best, fewest = [list(column) for column in columns], _crossings(columns, after)
    size = sum(len(column) for column in columns)
    for sweep in range(SWEEPS if size < LARGE else FEW_SWEEPS):
        if fewest == 0:
            break
        rightward = sweep % 2 == 0
        for column in columns[1:] if rightward else columns[-2::-1]:
            _sort(column, columns, before if rightward else after)
        crossings = _crossings(columns, after)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    return best


def _sort(
    column: list[Vertex],
    columns: Sequence[Sequence[Vertex]],
    neighbours: Mapping[Vertex, Sequence[Vertex]],
) -> None:
    """By the mean place of their neighbours; who has none stays where it is."""
    weights: dict[Vertex, float] = {}
    beside = next((found[0].layer for one in column if (found := neighbours.get(one))), 0)
    places = {one: place for place, one in enumerate(columns[beside])}
    size = len(columns[beside])
    for at, vertex in enumerate(column):
        found = neighbours.get(vertex)
        if found:
            mean = sum(places[one] + 0.5 for one in found) / len(found)
            weights[vertex] = mean / size
        else:
            weights[vertex] = (at + 0.5) / len(column)
    column.sort(key=weights.__getitem__)


def _crossings(
    columns: Sequence[Sequence[Vertex]], after: Mapping[Vertex, Sequence[Vertex]]
) -> int:
    return sum(_inversions(column, columns, after) for column in columns)


def _inversions(
    column: Sequence[Vertex],
    columns: Sequence[Sequence[Vertex]],
    after: Mapping[Vertex, Sequence[Vertex]],
) -> int:
    count = 0
    seen: list[int] = []
    layer = column[0].layer + 1
    places = {
        one: place for place, one in enumerate(columns[layer] if layer < len(columns) else ())
    }
    for vertex in column:
        found = after.get(vertex, ())
        ends = sorted(places[one] for one in found)
        count += sum(len(seen) - bisect_right(seen, end) for end in ends)
        for end in ends:
            insort(seen, end)
    return count


def pieces_by_channel(layers: Layers) -> Iterator[tuple[int, list[Piece]]]:
    """Channel 0 lies at the left of everything, the last one at the right."""
    for channel in range(len(layers.columns) + 1):
        yield channel, [piece for piece in layers.pieces if piece.channel == channel]
