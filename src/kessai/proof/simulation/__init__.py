"""The whole shop in one process on a virtual clock, scheduled and broken by a seed."""

from kessai.proof.simulation.run import Limit, SeedResult, run_seed

__all__ = ["Limit", "SeedResult", "run_seed"]
