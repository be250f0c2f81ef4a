"""How high everything stands, so that edges are as straight as their neighbours allow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from kessai.saga.graph.flow import Edge, Way
from kessai.saga.graph.layers import LARGE, Layers, Piece, Vertex
from kessai.saga.graph.shapes import Extent, extent, is_box
from kessai.saga.graph.straighten import Bond, straightened

ROUNDS, FEW_ROUNDS = 16, 6
NODE_GAP = 30.0
LINE_GAP = 14.0
LABEL_ROOM = 18.0
MAX_EMPTY = 44.0
CATCH_BELOW = 21.0
ONLY_WAY = 16.0

_LINE = Extent(0, LINE_GAP / 2, LINE_GAP / 2)
_LABELLED = Extent(0, LABEL_ROOM, LINE_GAP / 2)


@dataclass(slots=True)
class Places:
    extents: dict[Vertex, Extent]
    y: dict[Vertex, float]


def placed(layers: Layers, cuts: Collection[int] = ()) -> Places:
    """Nothing pulls across a channel where a row of columns ends."""
    extents = {
        vertex: _extent(vertex, layers.loops) for column in layers.columns for vertex in column
    }
    places = Places(extents, {})
    for column in layers.columns:
        at = 0.0
        for above, vertex in zip([None, *column], column, strict=False):
            at += _gap(places, above, vertex) if above is not None else 0.0
            places.y[vertex] = at
    pieces = [one for one in layers.pieces if one.channel not in cuts]
    only = _only_ways(pieces)
    before, after = _neighbours(pieces, only)
    rounds = ROUNDS if len(extents) < LARGE else FEW_ROUNDS
    for turn in range(rounds):
        pulls = (before, after) if turn == rounds - 1 else (before,) if turn % 2 == 0 else (after,)
        for column in layers.columns if turn % 2 == 0 else reversed(layers.columns):
            _settle(column, places, pulls)
    bonds = [
        Bond(piece, leaves_at(piece), _weight(piece) * only[piece])
        for piece in pieces
        if not piece.turns
    ]
    # The second time more is nearly level.
    for _ in range(2):
        places.y = straightened(layers.columns, places.y, bonds, partial(_gap, places))
    return places


def close_up(places: Places, vertices: Sequence[Vertex]) -> None:
    """Takes out what is empty from side to side."""
    shift, reach = 0.0, None
    moved: dict[Vertex, float] = {}
    for vertex in sorted(vertices, key=lambda one: places.y[one] - places.extents[one].above):
        top = places.y[vertex] - places.extents[vertex].above
        if reach is not None and top - reach > MAX_EMPTY:
            shift += top - reach - MAX_EMPTY
        moved[vertex] = places.y[vertex] - shift
        bottom = places.y[vertex] + places.extents[vertex].below
        reach = bottom if reach is None else max(reach, bottom)
    places.y.update(moved)


def leaves_at(piece: Piece) -> float:
    """Below the middle of a box for what it catches, so that both ways are seen to part."""
    node = piece.source.node
    if node is None or not is_box(node) or piece.edges[0].way is not Way.CATCH:
        return 0.0
    return CATCH_BELOW


def _extent(vertex: Vertex, loops: Sequence[Edge]) -> Extent:
    if vertex.node is None:
        return _LABELLED if vertex.labelled else _LINE
    return extent(vertex.node, loops=any(edge.source is vertex.node for edge in loops))


def _gap(places: Places, above: Vertex, below: Vertex) -> float:
    distance = places.extents[above].below + places.extents[below].above
    if above.node is None and below.node is None:
        return distance
    return distance + NODE_GAP


_Pull = tuple[Vertex, float, float]


def _neighbours(
    pieces: Sequence[Piece], only: Mapping[Piece, float]
) -> tuple[dict[Vertex, list[_Pull]], dict[Vertex, list[_Pull]]]:
    """For each vertex: who pulls it from the left and from the right, whither and how strongly."""
    before: dict[Vertex, list[_Pull]] = {}
    after: dict[Vertex, list[_Pull]] = {}
    for piece in pieces:
        if piece.turns:
            continue
        weight, shift = _weight(piece) * only[piece], leaves_at(piece)
        before.setdefault(piece.right, []).append((piece.left, shift, weight))
        after.setdefault(piece.left, []).append((piece.right, -shift, weight))
    return before, after


def _only_ways(pieces: Sequence[Piece]) -> dict[Piece, float]:
    """A step that has one follower, which follows nothing else, stays level with it."""
    out: dict[Vertex, int] = {}
    into: dict[Vertex, int] = {}
    for piece in pieces:
        if not _is_caught(piece):
            out[piece.source] = out.get(piece.source, 0) + 1
            into[piece.target] = into.get(piece.target, 0) + 1
    return {
        piece: ONLY_WAY
        if not _is_caught(piece) and out[piece.source] == into[piece.target] == 1
        else 1.0
        for piece in pieces
    }


def _is_caught(piece: Piece) -> bool:
    return piece.edges[0].way is Way.CATCH


def _weight(piece: Piece) -> float:
    """Long edges bend least, and what goes on by itself less than what goes wrong."""
    passing = (piece.source.node is None) + (piece.target.node is None)
    usual = any(edge.way is not Way.CATCH for edge in piece.edges)
    return (1.0, 2.0, 8.0)[passing] * (4.0 if usual else 1.0)


def _settle(
    column: Sequence[Vertex], places: Places, pulls: Sequence[Mapping[Vertex, Sequence[_Pull]]]
) -> None:
    """The least squares of all pulls in this order and with these distances."""
    offset = 0.0
    blocks: list[tuple[float, float, int]] = []
    offsets = []
    for above, vertex in zip([None, *column], column, strict=False):
        offset += _gap(places, above, vertex) if above is not None else 0.0
        offsets.append(offset)
        wish, weight = _wish(vertex, places, pulls)
        block = (wish - offset, weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            block = _merged(blocks.pop(), block)
        blocks.append(block)
    at = 0
    for wish, _, size in blocks:
        for vertex in column[at : at + size]:
            places.y[vertex] = wish + offsets[at]
            at += 1


def _wish(
    vertex: Vertex, places: Places, pulls: Sequence[Mapping[Vertex, Sequence[_Pull]]]
) -> tuple[float, float]:
    total = weighted = 0.0
    for pull in pulls:
        for other, shift, weight in pull.get(vertex, ()):
            total += weight
            weighted += weight * (places.y[other] + shift)
    # What nothing pulls stays, but makes room.
    return (weighted / total, total) if total else (places.y[vertex], 0.01)


def _merged(
    one: tuple[float, float, int], two: tuple[float, float, int]
) -> tuple[float, float, int]:
    weight = one[1] + two[1]
    return (one[0] * one[1] + two[0] * two[1]) / weight, weight, one[2] + two[2]
