"""What the parts of `/sim/faults` are made of: shares, waits, spans, and how a part is read."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

MAX_WAIT_MS: Final = 600_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


def _ordered(span: tuple[int, int]) -> tuple[int, int]:
    if span[0] > span[1]:
        raise ValueError("the first number may not be larger than the second")
    return span


Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Wait = Annotated[int, Field(ge=0, le=MAX_WAIT_MS)]
Span = Annotated[tuple[Wait, Wait], AfterValidator(_ordered)]
TwoDays = Annotated[int, Field(ge=0, le=2 * DAY_MS)]
TwoDaySpan = Annotated[tuple[TwoDays, TwoDays], AfterValidator(_ordered)]
Week = Annotated[int, Field(ge=0, le=7 * DAY_MS)]
WeekSpan = Annotated[tuple[Week, Week], AfterValidator(_ordered)]


class Part(BaseModel):
    """camelCase on the wire; unknown names are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )
