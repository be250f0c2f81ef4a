"""Pictures of machines: complete, well formed, nothing upon anything else, true to an outcome."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest

from kessai.saga.graph import svg, to_mermaid, to_svg
from kessai.saga.graph.flow import Way, flow_of
from kessai.saga.graph.lines import rounded
from kessai.saga.graph.shapes import BOX_HEIGHT, BOX_MAX
from kessai.saga.graph.text import condensed, shortened, width
from kessai.saga.language import Machine, load

SEATA = Path(__file__).resolve().parents[3] / "shared" / "seata"
OURS = Path(__file__).resolve().parents[2] / "src" / "kessai" / "order" / "statelang"
SVG = "{http://www.w3.org/2000/svg}"

TASK = {"Type": "ServiceTask", "ServiceName": "s", "ServiceMethod": "m"}
END = {"Type": "Succeed"}
THROWABLE = ["java.lang.Throwable"]


def machine(**states: Any) -> Machine:
    start = next(iter(states))
    return load({"Name": "m", "StartState": start, "States": states})


def choice(default: str | None, *entries: tuple[str, str]) -> dict[str, Any]:
    choices = [{"Expression": expression, "Next": target} for expression, target in entries]
    return {"Type": "Choice", "Choices": choices, **({"Default": default} if default else {})}


def caught(target: str) -> list[dict[str, Any]]:
    return [{"Exceptions": THROWABLE, "Next": target}]


SAGA = machine(
    Reserve={**TASK, "Next": "IsLarge", "CompensateState": "Release", "Catch": caught("Undo")},
    Release=TASK,
    IsLarge=choice("Pay", ("[a] > 1 && [b] == 'x'", "Check"), ("[again] == true", "Reserve")),
    Check={"Type": "ScriptTask", "ScriptContent": "a", "Next": "Pay"},
    Pay={
        "Type": "SubStateMachine",
        "StateMachineName": "pay",
        "CompensateState": "Refund",
        "Catch": caught("Undo"),
        "Next": "Mark",
    },
    Refund={"Type": "CompensateSubMachine"},
    Mark={**TASK, "Loop": {"Parallel": 2, "Collection": "$.[items]"}, "Next": "Paid"},
    Paid=END,
    Undo={"Type": "CompensationTrigger", "Next": "Failed"},
    Failed={"Type": "Fail", "ErrorCode": "E1"},
    Stray={**TASK, "CompensateState": "Release"},
)


def drawn(seed: int, size: int) -> Machine:
    """A machine with branches, cycles, catches and undos, and states that nothing reaches."""
    random = Random(seed)
    names = [f"State{at:03}" for at in range(size)]
    states: dict[str, Any] = {}
    for at, name in enumerate(names):
        later = names[at + 1 : at + 6] or ["Done"]
        if random.random() < 0.2 and at < size - 2:
            entries = [(f"[a] == {n}", random.choice(later)) for n in range(random.randint(1, 3))]
            if random.random() < 0.5:
                entries.append(("[again] == true", names[max(0, at - random.randint(1, 6))]))
            states[name] = choice(random.choice([*later, "Failed"]), *entries)
            continue
        states[name] = {**TASK, "Next": random.choice(later[:2])}
        if random.random() < 0.3:
            states[name]["Catch"] = caught("Trigger")
        if random.random() < 0.3:
            states[name]["CompensateState"] = f"Undo{name}"
            states[f"Undo{name}"] = TASK
    states["Trigger"] = {"Type": "CompensationTrigger", "Next": "Failed"}
    states |= {"Failed": {"Type": "Fail"}, "Done": END}
    return machine(**states)


# In the one of 20, an edge that turns back in a row joins one that comes from the next row.
DRAWN = [drawn(seed, size) for size in (1, 2, 5, 12, 30) for seed in range(8)]
DRAWN += [drawn(10, 20), drawn(1, 100)]


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def spoken(text: str, *, of: str = "node") -> list[str]:
    """Labels of the nodes, in the order in which they are drawn."""
    groups = parsed(text).iter(f"{SVG}g")
    return [one.attrib["aria-label"] for one in groups if of in one.attrib.get("class", "").split()]


def files() -> list[Path]:
    seata = [*SEATA.glob("statelang/*.json"), *SEATA.glob("probes/*.json")]
    return [*sorted(OURS.glob("*.json")), *sorted(seata)]


@pytest.mark.parametrize("subject", [SAGA, *DRAWN])
def test_every_state_is_drawn_once(subject: Machine) -> None:
    names = [label.split(",")[0] for label in spoken(to_svg(subject)) if label.count(",")]
    assert sorted(names) == sorted(subject.states)


@pytest.mark.parametrize("file", files(), ids=lambda file: file.stem)
def test_real_machines_are_drawn_well_formed(file: Path) -> None:
    loaded = load(file)
    outcome = dict.fromkeys(loaded.states, "SU")
    for text in (to_svg(loaded), to_svg(loaded, outcome)):
        names = [label.split(",")[0] for label in spoken(text) if label.count(",")]
        assert sorted(names) == sorted(loaded.states)
    assert len(to_mermaid(loaded).splitlines()) > 2 * len(loaded.states)


@pytest.mark.parametrize("subject", [SAGA, *DRAWN])
def test_no_node_lies_upon_another(subject: Machine) -> None:
    picture = svg.laid_out(subject)
    boxes = []
    for vertex, _, spot in picture.spots:
        extent = picture.frame.places.extents[vertex]
        boxes.append((spot.left, spot.right, spot.y - extent.above, spot.y + extent.below))
        assert 0 < spot.left < spot.right < max(picture.frame.width, svg.MIN_WIDTH)
        assert 0 < spot.y - extent.above < spot.y + extent.below < picture.frame.height
    for at, one in enumerate(boxes):
        for two in boxes[at + 1 :]:
            beside = one[1] <= two[0] or two[1] <= one[0]
            assert beside or one[3] <= two[2] or two[3] <= one[2]


@pytest.mark.parametrize("subject", [SAGA, *DRAWN])
def test_lines_are_square_and_pass_no_node(subject: Machine) -> None:
    picture = svg.laid_out(subject)
    for line in picture.drawing.lines:
        for (x1, y1), (x2, y2) in pairwise(line.points):
            assert abs(x1 - x2) < 0.01 or abs(y1 - y2) < 0.51
            for vertex, _, spot in picture.spots:
                below = spot.y + picture.frame.places.extents[vertex].below
                own = any(
                    spot.left - 1 <= x <= spot.right + 1 and abs(y - spot.y) <= BOX_HEIGHT / 2
                    for x, y in (line.points[0], line.points[-1])
                )
                outside = (
                    max(x1, x2) < spot.left + 1
                    or min(x1, x2) > spot.right - 1
                    or max(y1, y2) < spot.y - 5
                    or min(y1, y2) > below - 1
                )
                assert own or outside


@pytest.mark.parametrize("subject", [SAGA, *DRAWN])
def test_every_edge_leaves_its_source_and_arrives_at_its_target(subject: Machine) -> None:
    picture = svg.laid_out(subject)
    heads = [line.points[-1] for line in picture.drawing.lines if line.head]
    starts = [line.points[0] for line in picture.drawing.lines]
    spots = {node: spot for _, node, spot in picture.spots}
    for edge in picture.flow.edges:
        if edge.source is edge.target:
            continue
        source, target = spots[edge.source], spots[edge.target]
        assert any(target.left <= x <= target.right and abs(y - target.y) < 30 for x, y in heads)
        assert any(source.left <= x <= source.right and abs(y - source.y) < 30 for x, y in starts)


def test_undos_lie_beneath_what_they_undo() -> None:
    flow = flow_of(SAGA)
    beneath = {node.name: node.beneath.name for node in flow.nodes if node.beneath is not None}
    assert beneath == {"Reserve": "Release", "Pay": "Refund"}
    assert [(node.name, node.undo) for node in flow.nodes if node.undo] == [("Stray", "Release")]
    labels = re.findall('aria-label="([^"]*)"', to_svg(SAGA))
    assert "undone by Release, which is drawn elsewhere" in labels


def test_an_undo_that_is_also_a_step_forward_stands_in_its_own_place() -> None:
    flow = flow_of(machine(A={**TASK, "CompensateState": "B", "Next": "B"}, B=TASK))
    assert [(node.name, node.undo, node.beneath) for node in flow.nodes][1:3] == [
        ("A", "B", None),
        ("B", None, None),
    ]


def test_nothing_leads_to_an_undo_beneath_another_state() -> None:
    stray = {**TASK, "IsForCompensation": True, "Next": "Undo"}
    flow = flow_of(machine(A={**TASK, "CompensateState": "Undo"}, Undo=TASK, Stray=stray))
    assert [node.name for node in flow.nodes if node.state] == ["A", "Stray"]
    assert [edge.target.name for edge in flow.edges] == ["A", "", ""]


def test_what_arrives_at_one_box_arrives_apart() -> None:
    subject = machine(
        A=choice("C", ("[a]", "B")), B={**TASK, "Next": "C", "Catch": caught("C")}, C=TASK
    )
    picture = svg.laid_out(subject)
    (spot,) = (spot for _, node, spot in picture.spots if node.name == "C")
    heads = [line.points[-1] for line in picture.drawing.lines if line.head]
    heights = sorted(y for x, y in heads if abs(x - spot.left) < 1)
    assert len(heights) == 2
    assert all(abs(y - spot.y) < BOX_HEIGHT / 2 for y in heights)
    assert min(two - one for one, two in pairwise(heights)) > 10


@pytest.mark.parametrize("subject", [SAGA, *DRAWN])
def test_no_line_ends_in_the_air(subject: Machine) -> None:
    lines = svg.laid_out(subject).drawing.lines
    for line in lines:
        x, y = line.points[-1]
        others = (other for other in lines if other is not line and not line.head)
        assert line.head or any(_touches(other.points, x, y) for other in others)


def _touches(points: tuple[tuple[float, float], ...], x: float, y: float) -> bool:
    return any(
        min(x1, x2) - 1 <= x <= max(x1, x2) + 1 and min(y1, y2) - 1 <= y <= max(y1, y2) + 1
        for (x1, y1), (x2, y2) in pairwise(points)
    )


def test_edges_say_their_kind_and_their_words() -> None:
    edges = [
        (edge.source.name, edge.target.name, edge.way, edge.labels) for edge in flow_of(SAGA).edges
    ]
    assert edges == [
        ("", "Reserve", Way.NEXT, []),
        ("Reserve", "IsLarge", Way.NEXT, []),
        ("Reserve", "Undo", Way.CATCH, ["Throwable"]),
        ("IsLarge", "Check", Way.BRANCH, ["[a] > 1 && [b] == 'x'"]),
        ("IsLarge", "Reserve", Way.BRANCH, ["[again] == true"]),
        ("IsLarge", "Pay", Way.DEFAULT, ["otherwise"]),
        ("Check", "Pay", Way.NEXT, []),
        ("Pay", "Mark", Way.NEXT, []),
        ("Pay", "Undo", Way.CATCH, ["Throwable"]),
        ("Mark", "Paid", Way.NEXT, []),
        ("Undo", "Failed", Way.NEXT, []),
        ("Stray", "", Way.NEXT, []),
    ]


def test_what_is_special_is_marked() -> None:
    text = to_svg(SAGA)
    root = parsed(text)
    classes = [one.attrib.get("class", "") for one in root.iter()]
    assert classes.count("shape inner") == 2
    assert "way catch" in classes
    assert "link" in classes
    labels = spoken(text)
    assert "Pay, sub machine, pay, undone by Refund" in labels
    assert "Mark, service task, s.m, loop × 2" in labels
    assert labels[0] == "Start"
    assert labels.count("End") == 1
    assert "if [a] &gt; 1 &amp;&amp; [b] == &#x27;x&#x27;" in text
    assert "<title>catches java.lang.Throwable</title>" not in text
    assert "<title>catches Throwable</title>" in text


def test_a_choice_that_has_next_leads_only_there() -> None:
    subject = machine(A={**choice("B", ("[a]", "C")), "Next": "D"}, B=END, C=END, D=END)
    after = [edge.target.name for edge in flow_of(subject).edges if edge.source.name == "A"]
    assert after == ["D"]


def taken(subject: Machine, outcome: dict[str, str]) -> list[str]:
    edges = flow_of(subject, outcome).edges
    return [f"{edge.source.name}>{edge.target.name}" for edge in edges if edge.taken]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ({"Reserve": "RU"}, [">Reserve"]),
        ({"Reserve": "SU"}, [">Reserve"]),
        (
            {"Reserve": "SU", "Pay": "SU", "Mark": "SU"},
            [">Reserve", "Reserve>IsLarge", "IsLarge>Pay", "Pay>Mark", "Mark>Paid"],
        ),
        (
            {"Reserve": "SU", "Check": "SU", "Pay": "RU"},
            [">Reserve", "Reserve>IsLarge", "IsLarge>Check", "Check>Pay"],
        ),
        (
            {"Reserve": "undone", "Pay": "UN", "Refund": "SU", "Release": "SU"},
            [">Reserve", "Reserve>IsLarge", "IsLarge>Pay", "Pay>Undo", "Undo>Failed"],
        ),
        (
            {"Reserve": "SU", "Pay": "UN", "Refund": "FA"},
            [">Reserve", "Reserve>IsLarge", "IsLarge>Pay", "Pay>Undo"],
        ),
        ({"Reserve": "FA", "Failed": "FA"}, [">Reserve", "Reserve>Undo", "Undo>Failed"]),
        ({}, []),
    ],
)
def test_the_path_is_what_the_outcome_tells(outcome: dict[str, str], expected: list[str]) -> None:
    assert taken(SAGA, outcome) == expected


def test_of_two_ways_that_meet_the_earlier_one_was_taken() -> None:
    subject = machine(
        A={**TASK, "Next": "C"}, C=choice("E", ("[a]", "D")), D={**TASK, "Next": "E"}, E=TASK
    )
    assert taken(subject, {"A": "SU", "D": "SU", "E": "SU"}) == [
        *(">A", "A>C", "C>D", "D>E", "E>"),
    ]
    assert taken(subject, {"A": "SU", "E": "SU"}) == [">A", "A>C", "C>E", "E>"]


def tones(text: str) -> dict[str, str]:
    groups = [one for one in parsed(text).iter(f"{SVG}g") if len(one.attrib) == 3]
    return {
        one.attrib["aria-label"].split(",")[0]: one.attrib["class"].split()[-1] for one in groups
    }


def test_states_have_the_colour_of_their_outcome() -> None:
    subject = machine(**{name: {**TASK, "Next": "Z"} for name in "ABCDEFG"}, Z=TASK)
    outcome = {"A": "RU", "B": "SU", "C": "FA", "D": "UN", "E": "SK", "F": "undone", "G": "odd"}
    found = tones(to_svg(subject, outcome))
    assert [found[name] for name in "ABCDEFGZ"] == [
        *("tetsu", "matsu", "enji", "kikyo", "nezu", "nezu", "plain", "none"),
    ]
    assert [tones(to_svg(subject))[name] for name in "ABZ"] == ["plain"] * 3


def words(text: str) -> list[str]:
    return [one.text or "" for one in parsed(text).iter(f"{SVG}text")]


def test_the_legend_explains_what_is_there_and_nothing_else() -> None:
    plain = words(to_svg(machine(A=TASK)))
    assert plain == ["m", "A", "s.m", "next"]
    assert words(to_svg(SAGA))[-3:] == ["next", "on exception", "undone by"]
    outcome = {"Reserve": "SU", "Pay": "UN", "Release": "SU", "Refund": "SU"}
    legend = words(to_svg(SAGA, outcome))[-7:]
    assert legend == ["next", "on exception", "undone by", "taken", "Done", "Unknown", "Not yet"]


ODD = "<b>&\"'\x00\x1b\ud7ff\ufffe ]]> 注文 & --><script>"


def test_whatever_an_author_wrote_is_text() -> None:
    subject = load(
        {
            "Name": ODD,
            "Version": ODD,
            "Comment": ODD,
            "StartState": ODD,
            "States": {
                ODD: {
                    "Type": "ServiceTask",
                    "ServiceName": ODD,
                    "ServiceMethod": ODD,
                    "CompensateState": ODD + "2",
                    "Catch": [{"Exceptions": [ODD], "Next": "F"}],
                    "Next": "C",
                },
                ODD + "2": TASK,
                "C": choice("F", ("[a] == '<&>'", "F")),
                "F": {"Type": "Fail", "ErrorCode": ODD},
            },
        }
    )
    text = to_svg(subject, {ODD: "FA"})
    root = parsed(text)
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {
        *("svg", "title", "desc", "style", "rect", "text", "path", "polygon", "circle", "g")
    }
    readable = ODD.replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\ufffe", "\ufffd")
    assert any(label.startswith(readable) for label in spoken(text))
    chart = to_mermaid(subject, {ODD: "FA"})
    assert not set("<>&'") & set(re.sub(r"<br/>|-\.->|-->|==>", "", chart))


def test_a_picture_is_complete_in_itself() -> None:
    text = to_svg(SAGA, {"Reserve": "SU"})
    assert "prefers-color-scheme:dark" in text
    assert "url(" not in text
    assert "href" not in text
    assert text.count("http") == 1
    root = parsed(text)
    assert (root.attrib["role"], root.attrib["aria-label"]) == ("img", "m: saga")
    titles = [one.text for one in root if one.tag in (f"{SVG}title", f"{SVG}desc")]
    assert titles == ["m: saga", "11 states, from Reserve. Reserve: Done."]


def test_pictures_of_the_same_machine_are_the_same() -> None:
    again = drawn(3, 30)
    assert to_svg(again) == to_svg(drawn(3, 30))
    assert to_mermaid(again) == to_mermaid(drawn(3, 30))


def test_long_machines_are_folded_into_rows() -> None:
    picture = svg.laid_out(drawn(1, 100))
    rows = [column.row for column in picture.frame.columns]
    assert rows == sorted(rows)
    assert rows[-1] > 2
    assert picture.frame.width < 2_700
    assert svg.laid_out(SAGA).frame.columns[-1].row == 0


def test_only_what_goes_on_in_the_next_row_crosses_to_it() -> None:
    for subject in DRAWN:
        picture = svg.laid_out(subject)
        for row, _ in picture.frame.gutter.values():
            crossing = [
                line
                for line in picture.drawing.lines
                for (_, y1), (_, y2) in pairwise(line.points)
                if abs(y1 - row) < 1 and abs(y2 - row) < 1
            ]
            assert len(crossing) == 1


def test_a_state_that_follows_itself_has_a_loop() -> None:
    own = machine(A={**TASK, "Next": "A"})
    assert to_svg(own).count('class="way"') == to_svg(machine(A=TASK)).count('class="way"')
    assert parsed(to_svg(own)).find(f".//{SVG}polygon[@class='head']") is not None
    assert taken(own, {"A": "SU"}) == [">A"]


def test_texts_are_cut_to_their_room() -> None:
    assert shortened("short", 14, 100) == "short"
    assert shortened("a  b\nc", 14, 100) == "a b c"
    for text in ("a" * 50, "注" * 50, "Wm" * 30, "i" * 200):
        cut = shortened(text, 14, 120)
        assert cut.endswith("…")
        assert width(cut, 14) <= 120
        assert len(cut) > 5
    assert width("注文", 10) == 20
    assert width("e\u0301", 10) == width("e", 10)
    both = condensed("[reserved]['refusal'] == null && [amount] > 1000", 11, 150)
    assert both.startswith("[reserved]")
    assert both.endswith("> 1000")
    assert width(both, 11, mono=True) <= 150 + 11


def test_names_stay_within_their_boxes() -> None:
    long = {**TASK, "ServiceName": "s" * 99}
    subject = machine(**{"N" * 99: long | {"Next": "名" * 99}, "名" * 99: TASK})
    picture = svg.laid_out(subject)
    assert max(spot.width for _, node, spot in picture.spots if node.state) <= BOX_MAX
    assert all(len(word) < 50 for word in words(to_svg(subject)))


def test_corners_are_round() -> None:
    assert rounded(((0, 0), (10, 0))) == "M0.0 0.0L10.0 0.0"
    assert rounded(((0, 0), (50, 0), (50, 40), (90, 40)), 5) == (
        "M0.0 0.0L43.0 0.0Q50.0 0.0 50.0 7.0L50.0 33.0Q50.0 40.0 57.0 40.0L85.0 40.0"
    )


NODE = re.compile(
    r'n\d+(\["[^"]*"\]|\[/"[^"]*"/\]|\[\["[^"]*"\]\]|\{"[^"]*"\}|\(\["[^"]*"\]\)'
    r'|\(\(\("[^"]*"\)\)\)|\(\("[^"]*"\)\))'
)
LINK = re.compile(r'n\d+ (-->|==>|-\.->)(\|"[^"]*"\|)? n\d+|n\d+ -\. undone by \.-o n\d+')
STYLE = re.compile(
    r"linkStyle \d+(,\d+)* stroke-width:3px|class n\d+(,n\d+)* \w+"
    r"|classDef \w+ fill:#\w{6},stroke:#\w{6},color:#\w{6}"
)


@pytest.mark.parametrize("subject", [SAGA, *DRAWN])
def test_a_chart_has_only_known_lines(subject: Machine) -> None:
    outcome = dict.fromkeys(list(subject.states)[:4], "SU")
    first, *lines = to_mermaid(subject, outcome).splitlines()
    assert first == "flowchart LR"
    kinds = [
        next((at for at, kind in enumerate((NODE, LINK, STYLE)) if kind.fullmatch(line[4:])), None)
        for line in lines
    ]
    assert None not in kinds
    ids = [line.split("[")[0].split("(")[0].split("{")[0] for line in lines[: kinds.count(0)]]
    assert len(set(ids)) == len(ids) >= len(subject.states) + 1


def test_a_chart_reads_like_its_machine() -> None:
    subject = machine(
        A={**TASK, "Next": "B", "CompensateState": "C", "Catch": caught("E")},
        B=choice("E", ('[a] == "x"', "A")),
        C=TASK,
        E={"Type": "Fail", "ErrorCode": "E1"},
    )
    assert to_mermaid(subject, {"A": "UN", "E": "FA"}).splitlines() == [
        "flowchart LR",
        '    n0((" "))',
        '    n1["A<br/>Unknown"]',
        '    n2{"B"}',
        '    n3((("E<br/>Failed<br/>E1")))',
        '    n4["C"]',
        "    n0 ==> n1",
        "    n1 --> n2",
        '    n1 -.->|"Throwable"| n3',
        '    n2 -->|"#91;a#93; #61;#61; #34;x#34;"| n1',
        '    n2 -->|"otherwise"| n3',
        "    linkStyle 0,2 stroke-width:3px",
        "    n1 -. undone by .-o n4",
        "    classDef kikyo fill:#E9E9F6,stroke:#4A4898,color:#17211F",
        "    class n1 kikyo",
        "    classDef enji fill:#F9E6E9,stroke:#A01D3F,color:#17211F",
        "    class n3 enji",
    ]
