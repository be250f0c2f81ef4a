"""es-service searches now: the folded text goes, and every product is announced to its index."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.drop_column("product", "search_title")
    op.drop_column("product", "search_text")
    # A version of its own: the event of the last one may be told, and forgotten, already.
    op.execute(text("UPDATE stock SET version = version + 1, dirty = 1"))
