"""The saga log: append-only events whose primary key is the fence (saga-log.md section 4)."""

from __future__ import annotations

from kessai.kernel.db import Db, MySqlDb
from kessai.saga.log.group import GroupLog
from kessai.saga.log.inline import InlineLog
from kessai.saga.log.memory import MemoryLog
from kessai.saga.log.mysql import MySqlLog
from kessai.saga.log.ports import SagaLog, Session
from kessai.saga.log.rows import NO_REST, EventRow, Filter, Instance, MachineRow, Rest, encode
from kessai.saga.log.sql import SqlLog
from kessai.saga.log.tables import METADATA, SG_ENGINE, SG_EVENT, SG_MACHINE

__all__ = [
    "METADATA",
    "NO_REST",
    "SG_ENGINE",
    "SG_EVENT",
    "SG_MACHINE",
    "EventRow",
    "Filter",
    "GroupLog",
    "InlineLog",
    "Instance",
    "MachineRow",
    "MemoryLog",
    "MySqlLog",
    "Rest",
    "SagaLog",
    "Session",
    "SqlLog",
    "encode",
    "log_of",
]


def log_of(store: Db | SqlLog | MemoryLog) -> SagaLog:
    """A database's log puts the rows of many sagas into one statement each."""
    if isinstance(store, SqlLog | MemoryLog):
        return store
    return MySqlLog(store) if isinstance(store, MySqlDb) else InlineLog(store)
