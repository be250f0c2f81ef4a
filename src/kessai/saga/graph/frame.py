"""Rows of columns on paper: where each column, track and row lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kessai.saga.graph.layers import Layers, Vertex, pieces_by_channel
from kessai.saga.graph.nets import Net, nets_of
from kessai.saga.graph.placing import Places, close_up, placed
from kessai.saga.graph.shapes import NOTE_SIZE, box_width, is_box
from kessai.saga.graph.text import condensed, shortened, width

MARGIN = 28.0
TRACK_STEP = 12.0
SHORT_WAY, LONG_WAY = 14.0, 26.0
LABEL_MAX, CATCH_LABEL_MAX = 240.0, 120.0
ROW_GAP = 30.0
GUTTER_STEP = 10.0
MAX_ROW = 2_100.0
MAX_UNFOLDED = 2_600.0


@dataclass(slots=True)
class Column:
    left: float = 0
    right: float = 0
    box: float = 0
    row: int = 0

    @property
    def width(self) -> float:
        return self.right - self.left


@dataclass(slots=True)
class Frame:
    columns: list[Column]
    nets: list[Net]
    places: Places
    x: dict[Net, float] = field(default_factory=dict)
    y: dict[Vertex, float] = field(default_factory=dict)
    # Where a net that goes on in the next row crosses to it, and where it comes down there.
    gutter: dict[Net, tuple[float, float]] = field(default_factory=dict)
    shift: list[float] = field(default_factory=list)
    width: float = 0
    height: float = 0

    def node_span(self, vertex: Vertex, own: float) -> tuple[float, float]:
        """Boxes are as wide as their column, everything else stands in its middle."""
        column = self.columns[vertex.layer]
        middle = (column.left + column.right) / 2
        size = column.box if vertex.node is not None and is_box(vertex.node) else own
        return middle - size / 2, middle + size / 2


def framed(layers: Layers, top: float) -> Frame:
    places = placed(layers)
    by_channel = [nets_of(pieces, places) for _, pieces in pieces_by_channel(layers)]
    columns = [_column(column, places) for column in layers.columns]
    _fold(columns, by_channel)
    cuts = [at for at in range(1, len(columns)) if columns[at - 1].row != columns[at].row]
    places = placed(layers, cuts) if cuts else places
    for vertices in _rows(columns, layers):
        close_up(places, vertices)
    by_channel = [nets_of(pieces, places) for _, pieces in pieces_by_channel(layers)]
    frame = Frame(columns, [net for nets in by_channel for net in nets], places)
    _lay_rows(frame, layers, places, by_channel, top)
    _lay_columns(frame, by_channel)
    return frame


def branch_label(net: Net) -> str:
    return condensed(" / ".join(dict.fromkeys(net.labels)), NOTE_SIZE, LABEL_MAX)


def catch_label(labels: Sequence[str]) -> str:
    return shortened(", ".join(dict.fromkeys(labels)), NOTE_SIZE, CATCH_LABEL_MAX)


def _column(column: Sequence[Vertex], places: Places) -> Column:
    boxes = [box_width(one.node) for one in column if one.node and is_box(one.node)]
    beneath = [box_width(one.node.beneath) for one in column if one.node and one.node.beneath]
    widest = max(places.extents[vertex].width for vertex in column)
    return Column(0, widest, max([*boxes, *beneath], default=0))


def _rooms(nets: Sequence[Net]) -> tuple[float, float, float]:
    """Widths of a channel: before its tracks, of its tracks, after them."""
    before, after = SHORT_WAY, LONG_WAY
    tracks = 0
    for net in nets:
        for piece in net.pieces:
            node = piece.source.node
            if node is not None and net.is_catch:
                label = catch_label([text for edge in piece.edges for text in edge.labels])
                before = max(before, width(label, NOTE_SIZE) + 12)
        if _is_labelled(net):
            after = max(after, width(branch_label(net), NOTE_SIZE, mono=True) + 22)
        if not net.is_straight:
            tracks = max(tracks, net.track + 1)
    return before, tracks * TRACK_STEP, after


def _is_labelled(net: Net) -> bool:
    return not net.is_catch and bool(net.labels)


def _fold(columns: Sequence[Column], by_channel: Sequence[Sequence[Net]]) -> None:
    """A machine that is too long for one row goes on in the next, like a text."""
    widths = [column.width + sum(_rooms(by_channel[at + 1])) for at, column in enumerate(columns)]
    if sum(widths) <= MAX_UNFOLDED:
        return
    row, used = 0, 0.0
    for column, needed in zip(columns, widths, strict=True):
        if used and used + needed > MAX_ROW:
            row, used = row + 1, 0.0
        column.row = row
        used += needed


def _lay_rows(
    frame: Frame,
    layers: Layers,
    places: Places,
    by_channel: Sequence[Sequence[Net]],
    top: float,
) -> None:
    for row, shown in enumerate(_rows(frame.columns, layers)):
        highest = min(places.y[one] - places.extents[one].above for one in shown)
        shift = top - highest
        for vertex in shown:
            frame.y[vertex] = places.y[vertex] + shift
        frame.shift.append(shift)
        top = max(frame.y[one] + places.extents[one].below for one in shown)
        for net in _crossing(frame, by_channel, row):
            top += GUTTER_STEP
            frame.gutter[net] = (top + ROW_GAP / 2, 0)
        top += ROW_GAP if row == frame.columns[-1].row else 2 * ROW_GAP
    frame.height = top


def _rows(columns: Sequence[Column], layers: Layers) -> list[list[Vertex]]:
    found: list[list[Vertex]] = [[] for _ in range(columns[-1].row + 1)]
    for column, vertices in zip(columns, layers.columns, strict=True):
        found[column.row] += vertices
    return found


def _crossing(frame: Frame, by_channel: Sequence[Sequence[Net]], row: int) -> list[Net]:
    """Nets that go from the last column of a row to the first one of the next."""
    for at, column in enumerate(frame.columns[:-1]):
        if column.row == row and frame.columns[at + 1].row == row + 1:
            found = [net for net in by_channel[at + 1] if not _turns(net)]
            # The lowest turns first, so that they lie within one another and never cross.
            return sorted(found, key=lambda net: -max(net.heights(left=True)))
    return []


def _turns(net: Net) -> bool:
    return all(left is net.sink_left for _, left in net.sources)


def _lay_columns(frame: Frame, by_channel: Sequence[Sequence[Net]]) -> None:
    at = MARGIN
    for index, column in enumerate(frame.columns):
        nets = by_channel[index]
        if index == 0 or frame.columns[index - 1].row == column.row:
            at = _lay_tracks(frame, nets, at)
        else:
            frame.width = max(frame.width, _leave_row(frame, nets, at))
            at = _enter_row(frame, nets)
        column.left, column.right = at, at + column.width
        at = column.right
    frame.width = max(frame.width, _lay_tracks(frame, by_channel[-1], at)) + MARGIN - LONG_WAY


def _lay_tracks(frame: Frame, nets: Sequence[Net], at: float) -> float:
    if not nets and at == MARGIN:
        return at
    before, tracks, after = _rooms(nets)
    for net in nets:
        frame.x[net] = at + before + net.track * TRACK_STEP + TRACK_STEP / 2
    return at + before + tracks + after


def _starts_row(net: Net) -> bool:
    return _turns(net) and not net.sink_left


def _leave_row(frame: Frame, nets: Sequence[Net], at: float) -> float:
    before, _, _ = _rooms(nets)
    at += before
    for net in [*(net for net in nets if _turns(net) and net.sink_left), *frame.gutter]:
        if net in nets:
            at += TRACK_STEP
            frame.x[net] = at - TRACK_STEP / 2
    return at + LONG_WAY


def _enter_row(frame: Frame, nets: Sequence[Net]) -> float:
    """At the left of a row come down what the row before sent, and turns of its own."""
    at = MARGIN
    for net in frame.gutter:
        if net in nets:
            frame.gutter[net] = (frame.gutter[net][0], at + TRACK_STEP / 2)
            at += TRACK_STEP
    for net in nets:
        if _starts_row(net):
            frame.x[net] = at + TRACK_STEP / 2
            at += TRACK_STEP
    labels = [width(branch_label(net), NOTE_SIZE, mono=True) for net in nets if _is_labelled(net)]
    return at + max([LONG_WAY, *(label + 22 for label in labels)])
