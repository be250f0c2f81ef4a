"""Sagas on Temporal, for teams that have it: the same definitions and the same interpreter.

Behind the extra `kessai[temporal]`: nothing here is imported before `KESSAI_SAGA_ENGINE=temporal`
asks for it.
"""

from __future__ import annotations

from kessai.saga.temporal.address import Address, parse_address
from kessai.saga.temporal.loading import Attach, load_temporal

__all__ = ["Address", "Attach", "load_temporal", "parse_address"]
