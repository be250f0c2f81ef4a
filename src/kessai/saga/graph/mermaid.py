"""A machine as a Mermaid flowchart, for documents that draw it themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kessai.saga.graph import look, shapes
from kessai.saga.graph.flow import Edge, Flow, Kind, Node, Way, flow_of
from kessai.saga.language.model import Machine, Task

MAX_LABEL = 60

# Around the words of each kind of state.
_SHAPES: Mapping[Kind, tuple[str, str]] = {
    Kind.TASK: ("[", "]"),
    Kind.SCRIPT: ("[/", "/]"),
    Kind.SUB: ("[[", "]]"),
    Kind.UNDO_SUB: ("[[", "]]"),
    Kind.CHOICE: ("{", "}"),
    Kind.TRIGGER: ("([", "])"),
    Kind.SUCCEED: ("(((", ")))"),
    Kind.FAIL: ("(((", ")))"),
    Kind.START: ("((", "))"),
    Kind.END: ("((", "))"),
}


def to_mermaid(machine: Machine, outcome: Mapping[str, str] | None = None) -> str:
    """`outcome`: by state SU, FA, UN, RU, SK or undone, for what has been reached."""
    flow = flow_of(machine, outcome)
    shown = [*flow.nodes, *(node.beneath for node in flow.nodes if node.beneath is not None)]
    ids = {node: f"n{at}" for at, node in enumerate(shown)}
    lines = [*_nodes(ids), *_edges(flow, ids), *_undos(ids), *_classes(ids)]
    return "\n".join(["flowchart LR", *(f"    {line}" for line in lines)]) + "\n"


def _nodes(ids: Mapping[Node, str]) -> Iterator[str]:
    for node, id_ in ids.items():
        opening, closing = _SHAPES[node.kind]
        yield f'{id_}{opening}"{_words(node)}"{closing}'


def _words(node: Node) -> str:
    if node.state is None:
        return " "
    parts = [node.name]
    if isinstance(node.state, Task) and node.state.loop is not None:
        parts.append(f"loop × {node.state.loop.parallel}")
    if node.outcome in look.OUTCOMES:
        parts.append(look.OUTCOMES[node.outcome][1])
    return "<br/>".join(map(_quoted, parts + shapes.end_notes(node)))


def _edges(flow: Flow, ids: Mapping[Node, str]) -> Iterator[str]:
    for edge in flow.edges:
        yield f"{ids[edge.source]} {_arrow(edge)}{_label(edge)} {ids[edge.target]}"
    taken = [str(at) for at, edge in enumerate(flow.edges) if edge.taken]
    if taken:
        yield f"linkStyle {','.join(taken)} stroke-width:3px"


def _arrow(edge: Edge) -> str:
    if edge.way is Way.CATCH:
        return "-.->"
    return "==>" if edge.taken else "-->"


def _label(edge: Edge) -> str:
    return f'|"{_quoted(" / ".join(edge.labels))}"|' if edge.labels else ""


def _undos(ids: Mapping[Node, str]) -> Iterator[str]:
    named = {node.name: id_ for node, id_ in ids.items() if node.state is not None}
    for node, id_ in ids.items():
        undo = node.beneath.name if node.beneath is not None else node.undo
        if undo is not None and undo in named:
            yield f"{id_} -. undone by .-o {named[undo]}"


def _classes(ids: Mapping[Node, str]) -> Iterator[str]:
    tones: dict[str, list[str]] = {}
    for node, id_ in ids.items():
        if node.outcome in look.OUTCOMES and node.state is not None:
            tones.setdefault(look.OUTCOMES[node.outcome][0], []).append(id_)
    for tone, found in tones.items():
        ground, line = look.light(f"{tone}T"), look.light(tone)
        yield f"classDef {tone} fill:{ground},stroke:{line},color:{look.light('ink')}"
        yield f"class {','.join(found)} {tone}"


def _quoted(text: str) -> str:
    """Mermaid knows entities by number; everything that it could take for syntax becomes one."""
    short = " ".join(text.split())
    if len(short) > MAX_LABEL:
        short = f"{short[: MAX_LABEL - 1]}…"
    return "".join(one if one.isalnum() or one in " _-.,…×" else f"#{ord(one)};" for one in short)
