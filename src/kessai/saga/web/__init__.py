"""The operators' door to an engine: look, and order with a reason."""

from __future__ import annotations

from kessai.saga.web.routes import ACTOR_HEADER, PREFIX, ROLE_HEADER, operator_routes

__all__ = ["ACTOR_HEADER", "PREFIX", "ROLE_HEADER", "operator_routes"]
