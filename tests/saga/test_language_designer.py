"""Both designers' files: the old one's drawing and the new one's layout keys."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from kessai.saga.language import (
    Catch,
    Choice,
    CompensationTrigger,
    DefinitionError,
    Fail,
    Machine,
    ServiceTask,
    SubStateMachine,
    Succeed,
    explain,
    load,
)

SERVICE = {"ServiceName": "s", "ServiceMethod": "m"}


def node(name: str, kind: str, x: float = 0, y: float = 0, **more: Any) -> dict[str, Any]:
    return {"id": f"#{name}", "stateId": name, "stateType": kind, "x": x, "y": y} | {
        "size": "110*48",
        **more,
    }


def edge(source: str, target: str, **props: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"source": f"#{source}", "target": f"#{target}"}
    return made | ({"stateProps": props} if props else {})


START = node("Start", "Start", stateProps={"StateMachine": {"Name": "m", "Version": "2"}})
NODES = (
    START,
    node("A", "ServiceTask", 100, 100, label="first", stateProps=SERVICE),
    node("Choose", "Choice", 100, 200),
    node("Sub", "SubStateMachine", 200, 300, stateProps={"StateMachineName": "other"}),
    node("UndoA", "Compensation", 300, 100, stateProps=SERVICE),
    node("Catch", "Catch", 150, 120, size="39*39"),
    node("Trigger", "CompensationTrigger", 400, 100),
    node("Failed", "Fail", 400, 200, stateProps={"ErrorCode": "E"}),
    node("Done", "Succeed", 100, 400),
)
EDGES = (
    edge("Start", "A"),
    edge("A", "Choose"),
    edge("A", "UndoA"),
    edge("Choose", "Sub", Expression="[a] == 1", Default=False),
    edge("Choose", "Failed", Expression="", Default=True),
    edge("Sub", "Done"),
    edge("Catch", "Trigger", Exceptions=["x.Y"]),
    edge("Trigger", "Failed"),
)


def shape(machine: Machine) -> str:
    """Compiled expressions are equal to nothing but themselves."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(machine))


def drawing(nodes: Any = NODES, edges: Any = EDGES) -> dict[str, Any]:
    return {"nodes": list(nodes) if nodes else nodes, "edges": list(edges) if edges else edges}


def without(name: str) -> list[dict[str, Any]]:
    return [one for one in NODES if one["stateId"] != name]


def changed(name: str, **more: Any) -> list[dict[str, Any]]:
    return [one | more if one["stateId"] == name else one for one in NODES]


def test_a_drawing_is_a_definition() -> None:
    loaded = load(drawing(), strict=True)
    assert (loaded.name, loaded.version, loaded.start_state) == ("m", "2", "A")
    kinds = ("Start", "Catch")
    assert list(loaded.states) == [one["stateId"] for one in NODES if one["stateType"] not in kinds]
    first = loaded.states["A"]
    assert first == ServiceTask(
        name="A",
        next="Choose",
        service="s",
        method="m",
        compensate_state="UndoA",
        for_update=True,
        catch=(Catch(("x.Y",), "Trigger"),),
    )
    choose = loaded.states["Choose"]
    assert isinstance(choose, Choice)
    assert [(one.expression.text, one.next) for one in choose.branches] == [("[a] == 1", "Sub")]
    assert choose.default == "Failed"
    sub = loaded.states["Sub"]
    assert isinstance(sub, SubStateMachine)
    assert (sub.next, sub.compensate_state) == ("Done", None)
    assert loaded.task("UndoA").for_compensation
    assert loaded.states["Trigger"] == CompensationTrigger("Trigger", "Failed")
    assert loaded.states["Failed"] == Fail("Failed", "E", None)
    assert loaded.states["Done"] == Succeed("Done")


def test_only_a_service_task_is_undone_by_an_edge() -> None:
    """In Seata it is the next state of everything else."""
    report = explain(drawing(edges=[*EDGES, edge("Sub", "UndoA")]))
    assert report.machine is not None
    assert report.machine.task("Sub").next == "UndoA"
    assert [doubt.sentence for doubt in report.doubts if doubt.state == "Sub"] == [
        "state 'Sub': Next leads to a compensation: only a ServiceTask is undone by an edge"
    ]


def test_positions_are_kept_as_bounds() -> None:
    loaded = load(drawing())
    assert loaded.layout["A"] == {"x": 45, "y": 76, "width": 110, "height": 48}
    assert set(loaded.layout) == set(loaded.states)


@pytest.mark.parametrize(
    ("wrong", "sentence", "line"),
    [
        (
            drawing(changed("A", stateProps={**SERVICE, "Input": 3})),
            "state 'A': Input must be an array, not 3",
            '"Input": 3',
        ),
        (
            drawing(changed("Start", stateProps={"StateMachine": {"Name": 7}})),
            "machine: Name must be a string, not 7",
            '"Name": 7',
        ),
        (
            drawing(edges=[*EDGES, edge("Choose", "Done", Expression="[b")]),
            "state 'Choose': Choices[1]: Expression has a wrong expression",
            '"Expression": "[b"',
        ),
        (
            drawing(changed("Sub", stateProps=[])),
            "machine: nodes[3]: stateProps must be an object",
            '"stateProps": []',
        ),
    ],
)
def test_an_error_stands_in_the_drawing(wrong: dict[str, Any], sentence: str, line: str) -> None:
    text = json.dumps(wrong, indent=1)
    (error,) = explain(text).errors
    assert error.sentence.startswith(sentence)
    assert error.position is not None
    written = text.splitlines()[error.position.line - 1]
    assert written.strip() == line
    assert error.position.column == len(written) - len(line) + 1


@pytest.mark.parametrize(
    ("changed_drawing", "message"),
    [
        (drawing(None, None), "States is missing"),
        (drawing([START], []), "States is missing"),
        ({"nodes": {"a": 1}, "edges": []}, "nodes must be an array"),
        (drawing([*NODES, 3]), r"nodes\[9\] must be an object"),
        (drawing([*NODES, node("A", "Succeed")]), r"nodes\[9\]: stateId 'A' exists already"),
        (drawing(changed("A", stateId=None)), r"nodes\[1\]: stateId is missing"),
        (drawing(changed("Done", stateType=None)), "state 'Done': Type is missing"),
        (drawing(changed("Done", stateType="Other")), "state 'Done': Type 'Other' is unknown"),
        (drawing(changed("A", label=5)), r"nodes\[1\]: label must be a string"),
        (drawing(changed("Start", stateProps={"StateMachine": 1})), "StateMachine must be"),
        (drawing(edges=[*EDGES, edge("A", "Nowhere")]), r"edges\[8\]: target is no node"),
        (drawing(edges=[*EDGES, 3]), r"edges\[8\] must be an object"),
        (drawing(edges=EDGES[1:]), "StartState is missing"),
        (drawing(changed("Catch", x=900)), r"nodes\[5\] lies on no ServiceTask"),
        (drawing(changed("Catch", size=None)), r"nodes\[5\]: size must be like"),
        (drawing(changed("Catch", size="39.5*39")), r"nodes\[5\]: size must be like"),
        (drawing(changed("A", x="100")), r"nodes\[1\]: x must be a number"),
        (drawing([*NODES, node("C2", "Choice")]), "state 'C2': Choices is missing"),
        (
            drawing(changed("A", stateProps={**SERVICE, "Catch": {}})),
            "stateProps: Catch must be an array",
        ),
    ],
)
def test_a_drawing_that_cannot_be_connected_is_refused(
    changed_drawing: dict[str, Any], message: str
) -> None:
    with pytest.raises(DefinitionError, match=message):
        load(changed_drawing)


def test_an_edge_from_nowhere_and_one_that_says_nothing_are_ignored() -> None:
    loose = [{"source": "gone", "target": "#A"}, {"target": "#A"}, edge("Catch", "Done")]
    assert shape(load(drawing(edges=[*EDGES, *loose]))) == shape(load(drawing()))


def test_boxes_that_only_meet_do_not_overlap() -> None:
    apart = 100 + (110 + 39) / 2
    with pytest.raises(DefinitionError, match="lies on no ServiceTask"):
        load(drawing(changed("Catch", x=apart)))
    assert load(drawing(changed("Catch", x=apart - 0.1))).task("A").catch != ()


def test_entries_of_a_node_come_before_those_of_its_edges() -> None:
    own = {**SERVICE, "Catch": [{"Exceptions": ["own"], "Next": "Done"}]}
    caught = load(drawing(changed("A", stateProps=own))).task("A").catch
    assert caught == (Catch(("own",), "Done"), Catch(("x.Y",), "Trigger"))


def test_a_definition_that_has_nodes_and_edges_is_a_drawing() -> None:
    states = {"A": {"Type": "Succeed"}}
    definition: dict[str, Any] = {"Name": "m", "StartState": "A", "States": states}
    assert load({**definition, "nodes": []}).name == "m"
    with pytest.raises(DefinitionError, match="States is missing"):
        load({**definition, "nodes": [], "edges": []})


def styled(x: int) -> dict[str, Any]:
    return {"bounds": {"x": x, "y": 2, "width": 3, "height": 4}}


NEW: dict[str, Any] = {
    "Name": "m",
    "StartState": "A",
    "style": styled(0),
    "edge": {"style": {"waypoints": [], "target": "A"}, "type": "Transition"},
    "States": {
        "A": {
            "Type": "ServiceTask",
            "Name": "A",
            **SERVICE,
            "Input": [{}],
            "Output": {},
            "Status": {},
            "Retry": [],
            "IsForCompensation": False,
            "Next": "Choose",
            "Catch": [{"Exceptions": ["x"], "Next": "End"}],
            "style": styled(10),
            "edge": {"Choose": {"style": {}, "type": "Transition"}},
            "catch": {"style": styled(1), "edge": {"End": {"Type": "ExceptionMatch"}}},
        },
        "Choose": {
            "Type": "Choice",
            "Choices": [
                {"Expression": "[a] == 1", "Next": "End"},
                {"Expression": "", "Next": "Failed"},
            ],
            "Default": "Failed",
            "style": styled(20),
        },
        "Failed": {"Type": "Fail", "style": {"bounds": {"x": "no"}}},
        "End": {"Type": "Succeed", "style": 3},
    },
}


def bare(definition: dict[str, Any]) -> Machine:
    layout = ("style", "edge", "catch", "Name")
    states = {
        name: {key: value for key, value in state.items() if key not in layout}
        for name, state in definition["States"].items()
    }
    return load({"Name": "m", "StartState": "A", "States": states})


def test_the_new_designers_layout_changes_nothing_but_the_layout() -> None:
    loaded = load(NEW, strict=True)
    assert shape(replace(loaded, layout={})) == shape(bare(NEW))
    assert loaded.layout == {"A": styled(10)["bounds"], "Choose": styled(20)["bounds"]}
