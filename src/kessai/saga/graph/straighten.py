"""What can be level becomes level: blocks of vertices that share a line, moved as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from kessai.saga.graph.layers import Piece, Vertex

NEAR = 26.0
ALWAYS = 8.0

Gap = Callable[[Vertex, Vertex], float]


@dataclass(frozen=True, slots=True)
class Bond:
    """`right` would stand `shift` below `left`."""

    piece: Piece
    shift: float
    weight: float


@dataclass(slots=True, eq=False)
class _Block:
    """Vertices with their heights relative to the block's."""

    members: dict[Vertex, float] = field(default_factory=dict)
    wish: float = 0.0


def straightened(
    columns: Sequence[Sequence[Vertex]],
    y: Mapping[Vertex, float],
    bonds: Sequence[Bond],
    gap: Gap,
) -> dict[Vertex, float]:
    """Keeps order and distances; the mean of the lowest and the highest way to do so."""
    blocks = _blocks(columns, y, _accepted(columns, y, bonds))
    below = _distances(columns, blocks, gap)
    order = _topological(below)
    down = {block: block.wish for block in order}
    for block in order:
        for other, distance in below[block].items():
            down[other] = max(down[other], down[block] + distance)
    up = {block: block.wish for block in order}
    for block in reversed(order):
        for other, distance in below[block].items():
            up[block] = min(up[block], up[other] - distance)
    return {
        vertex: (down[block] + up[block]) / 2 + offset
        for block in order
        for vertex, offset in block.members.items()
    }


def _accepted(
    columns: Sequence[Sequence[Vertex]], y: Mapping[Vertex, float], bonds: Sequence[Bond]
) -> list[Bond]:
    """The strongest first; none crosses another, and each end has one at each side."""
    rank = {vertex: at for column in columns for at, vertex in enumerate(column)}
    taken: dict[int, list[tuple[int, int]]] = {}
    found = []
    for bond in sorted(bonds, key=lambda bond: -bond.weight):
        left, right = bond.piece.left, bond.piece.right
        bend = abs(y[left] + bond.shift - y[right])
        if bend > NEAR and bond.weight < ALWAYS:
            continue
        ends = (rank[left], rank[right])
        lines = taken.setdefault(bond.piece.channel, [])
        if all((ends[0] - one) * (ends[1] - two) > 0 for one, two in lines):
            lines.append(ends)
            found.append(bond)
    return found


def _blocks(
    columns: Sequence[Sequence[Vertex]], y: Mapping[Vertex, float], bonds: Sequence[Bond]
) -> dict[Vertex, _Block]:
    before = {bond.piece.right: bond for bond in bonds}
    found: dict[Vertex, _Block] = {}
    for column in columns:
        for vertex in column:
            bond = before.get(vertex)
            if bond is None:
                found[vertex] = _Block({vertex: 0.0})
                continue
            block = found[vertex] = found[bond.piece.left]
            block.members[vertex] = block.members[bond.piece.left] + bond.shift
    for block in dict.fromkeys(found.values()):
        heights = [y[vertex] - offset for vertex, offset in block.members.items()]
        block.wish = sum(heights) / len(heights)
    return found


def _distances(
    columns: Sequence[Sequence[Vertex]], blocks: Mapping[Vertex, _Block], gap: Gap
) -> dict[_Block, dict[_Block, float]]:
    below: dict[_Block, dict[_Block, float]] = {block: {} for block in blocks.values()}
    for column in columns:
        for upper, lower in pairwise(column):
            one, two = blocks[upper], blocks[lower]
            distance = gap(upper, lower) + one.members[upper] - two.members[lower]
            below[one][two] = max(below[one].get(two, distance), distance)
    return below


def _topological(below: Mapping[_Block, Mapping[_Block, float]]) -> list[_Block]:
    open_ = dict.fromkeys(below, 0)
    for others in below.values():
        for other in others:
            open_[other] += 1
    order = [block for block in below if open_[block] == 0]
    for block in order:
        for other in below[block]:
            open_[other] -= 1
            if open_[other] == 0:
                order.append(other)
    return order
