"""Sagas may run on another durable engine, which is told of them from this database."""

from __future__ import annotations

from typing import cast

from alembic import op
from alembic.operations import Operations

from kessai.saga.tables import saga_tables_v3

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    saga_tables_v3(cast("Operations", op))
