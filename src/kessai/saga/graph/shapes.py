"""How much room a node takes, and what is written in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kessai.saga.graph.flow import Kind, Node
from kessai.saga.graph.text import shortened, width
from kessai.saga.language.model import (
    Fail,
    ScriptTask,
    ServiceTask,
    SubStateMachine,
    Task,
)

BOX_HEIGHT = 68.0
BOX_MIN, BOX_MAX = 152.0, 264.0
PADDING = 14.0
SIGN = 26.0
PILL_HEIGHT = 40.0
DIAMOND = 52.0
END_RADIUS = 15.0
START_RADIUS = 8.0
STOP_RADIUS = 7.0
CAPTION = 18.0
CAPTION_MAX = 168.0
UNDO_GAP = 40.0
CHIP_GAP, CHIP_HEIGHT = 14.0, 22.0
LOOP_HEIGHT = 20.0

NAME_SIZE, CODE_SIZE, NOTE_SIZE = 14.0, 11.0, 11.0

_BOXES = (Kind.TASK, Kind.SCRIPT, Kind.SUB, Kind.UNDO_SUB)


@dataclass(frozen=True, slots=True)
class Extent:
    """`above` and `below` the line on which edges arrive."""

    width: float
    above: float
    below: float


def is_box(node: Node) -> bool:
    return node.kind in _BOXES


def extent(node: Node, *, loops: bool) -> Extent:
    """Of a node with what lies beneath it and with its way back to itself."""
    own = _own(node)
    below = own.below
    widest = own.width
    if node.beneath is not None:
        widest = max(widest, box_width(node.beneath))
        below += UNDO_GAP + BOX_HEIGHT
    undo = (node.beneath or node).undo
    if undo is not None:
        widest = max(widest, chip_width(undo))
        below += CHIP_GAP + CHIP_HEIGHT
    return Extent(widest, own.above + (LOOP_HEIGHT if loops else 0), below)


def _own(node: Node) -> Extent:
    match node.kind:
        case Kind.START:
            return Extent(2 * START_RADIUS, START_RADIUS, START_RADIUS)
        case Kind.END:
            return Extent(2 * STOP_RADIUS, STOP_RADIUS, STOP_RADIUS)
        case Kind.CHOICE:
            caption = _caption(node.name)
            return Extent(max(DIAMOND, caption), DIAMOND / 2, DIAMOND / 2 + CAPTION)
        case Kind.SUCCEED | Kind.FAIL:
            captions = [_caption(node.name), *map(_caption, end_notes(node))]
            below = END_RADIUS + CAPTION * len(captions)
            return Extent(max(2 * END_RADIUS, *captions), END_RADIUS, below)
        case Kind.TRIGGER:
            return Extent(box_width(node), PILL_HEIGHT / 2, PILL_HEIGHT / 2)
        case _:
            return Extent(box_width(node), BOX_HEIGHT / 2, BOX_HEIGHT / 2)


def _caption(text: str) -> float:
    return min(width(text, NAME_SIZE) + 4, CAPTION_MAX)


def caption(text: str) -> str:
    return shortened(text, NAME_SIZE, CAPTION_MAX - 4)


def box_width(node: Node) -> float:
    texts = (
        width(node.name, NAME_SIZE) + SIGN,
        width(code(node), CODE_SIZE, mono=True) + SIGN,
        width(notes(node), NOTE_SIZE),
    )
    return min(max(BOX_MIN, max(texts) + 2 * PADDING + 1), BOX_MAX)


def chip_width(name: str) -> float:
    return min(width(name, NOTE_SIZE) + 34, BOX_MAX)


def code(node: Node) -> str:
    """What the state calls."""
    match node.state:
        case ServiceTask() as task:
            return f"{task.service}.{task.method}"
        case SubStateMachine() as task:
            return task.machine
        case ScriptTask():
            return "script"
        case _:
            return "compensate the machine" if node.kind is Kind.UNDO_SUB else ""


def notes(node: Node, room: float | None = None) -> str:
    """How it is run, in few words, and only as many of them as fit."""
    found = list(_notes(node))
    while found and room is not None and width(" · ".join(found), NOTE_SIZE) > room:
        found.pop()
    return " · ".join(found)


def _notes(node: Node) -> Iterator[str]:
    task = node.state
    if not isinstance(task, Task):
        return
    if task.loop is not None:
        yield f"loop × {task.loop.parallel}"
    if task.retry:
        yield f"retry {'+'.join(_count(entry.max_attempts) for entry in task.retry)}"
    if isinstance(task, ServiceTask) and task.is_async:
        yield "async"
    if task.timeout_s is not None:
        yield f"{task.timeout_s:g} s"
    if isinstance(task, ServiceTask) and task.for_update and task.compensate_state is None:
        yield "update"


def _count(number: int) -> str:
    return str(number) if number < 10_000 else f"{number // 1000}k"


def end_notes(node: Node) -> list[str]:
    return [node.state.code] if isinstance(node.state, Fail) and node.state.code else []
