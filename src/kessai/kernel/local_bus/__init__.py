"""The bus of the embedded default: an append-only log in one SQLite file, for one machine."""

from kessai.kernel.local_bus.bus import LocalBus, open_local_bus
from kessai.kernel.local_bus.limits import BusLimits

__all__ = ["BusLimits", "LocalBus", "open_local_bus"]
