"""Pictures of machines: pure functions from a machine, and what became of it, to text."""

from __future__ import annotations

from kessai.saga.graph.mermaid import to_mermaid
from kessai.saga.graph.svg import to_svg

__all__ = ["to_mermaid", "to_svg"]
