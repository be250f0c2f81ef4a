"""Sagas may call sub machines, and lists of them stay fast."""

from __future__ import annotations

from typing import cast

from alembic import op
from alembic.operations import Operations

from kessai.saga.tables import saga_tables_v2

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    saga_tables_v2(cast("Operations", op))
