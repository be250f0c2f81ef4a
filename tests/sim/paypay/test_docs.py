"""The knobs of docs/develop/simulator.md are the simulator's: each of them, with its default."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pydantic import BaseModel
from tests.support.paypay import Json

from kessai.sim.paypay.domain.faults import ApiFaults, Faults
from kessai.sim.paypay.domain.operations import OPERATIONS

DOCUMENT = Path(__file__).parents[3] / "docs" / "develop" / "simulator.md"
ROW = re.compile(r"^\| `([\w.<>]+)` \| [^|]+ \| `([^`]+)` \| [^|]+ \|$", re.MULTILINE)


def knobs_of(part: BaseModel, prefix: str = "") -> Json:
    found: Json = {}
    for name, value in part.model_dump(mode="json", by_alias=True).items():
        inner = getattr(
            part, next(f for f, i in type(part).model_fields.items() if i.alias == name)
        )
        if isinstance(inner, BaseModel):
            found |= knobs_of(inner, f"{prefix}{name}.")
        elif f"{prefix}{name}" == "api":
            found |= knobs_of(ApiFaults(), "api.<operation>.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def test_every_knob_is_in_the_table_with_its_default() -> None:
    section = DOCUMENT.read_text("utf-8").split("\n## Knobs\n")[1].split("\n## ")[0]
    written = {name: json.loads(default) for name, default in ROW.findall(section)}
    assert written == knobs_of(Faults())


def test_every_knob_that_the_text_names_is_one() -> None:
    text = DOCUMENT.read_text("utf-8")
    groups = "webhooks|api|blackout|flapping|settlement|behaviour"
    named = re.findall(rf"`((?:{groups})\.[\w.<>]+)", text)
    known = {re.sub("<operation>", "*", name) for name in knobs_of(Faults())}
    operation = re.compile(r"^api\.(<operation>|\w+)\.")
    assert {operation.sub("api.*.", name) for name in named} <= known


def test_every_operation_is_named() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert [operation for operation in OPERATIONS if f"`{operation}`" not in text] == []
