"""The common shape of every model that crosses a service border."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel


class Wire(BaseModel):
    """Frozen, camelCase on the wire; unknown fields are skipped so that versions may mix."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )


class Nothing(Wire):
    """The command or answer without content."""


OrderId = Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{26}$")]
UserId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
