"""The mix: which kinds of customers come, and how often. Read from TOML or JSON."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

MAX_FILE_BYTES: Final = 1024 * 1024


class Kind(StrEnum):
    """What a customer does; `habits` has the story of each."""

    PAYS_AT_ONCE = "pays_at_once"
    PAYS_LATE = "pays_late"
    PAYS_AT_EXPIRY = "pays_at_expiry"
    PAYS_AT_DEADLINE = "pays_at_deadline"
    ABANDONS = "abandons"
    DECLINES = "declines"
    CANCELS = "cancels"
    CANCELS_WHILE_PAYING = "cancels_while_paying"
    PAYS_AFTER_CANCEL = "pays_after_cancel"
    DOUBLE_CLICK = "double_click"
    TWO_TABS = "two_tabs"
    TWO_DEVICES = "two_devices"
    RETRIES_AFTER_DECLINE = "retries_after_decline"
    RETRIES_AFTER_EXPIRY = "retries_after_expiry"
    CHECKS = "checks"
    RELOADS = "reloads"
    RECONNECTS = "reconnects"
    REFUND = "refund"
    REFUND_TWICE = "refund_twice"
    WALLET = "wallet"
    WALLET_REFUND = "wallet_refund"
    OUT_OF_STOCK = "out_of_stock"
    LAST_PIECES = "last_pieces"
    SEVERAL_PRODUCTS = "several_products"
    OLD_PRICE = "old_price"


_MEANT_FOR_ONE: Final = {Kind.PAYS_AT_ONCE: 30.0, Kind.ABANDONS: 8.0, Kind.SEVERAL_PRODUCTS: 8.0}


class ImpossibleMix(ValueError):
    """What a mix file asks for cannot be; the message says what, in one line."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Weights by kind; a kind that is left out never comes. At least one is above 0."""

    weights: Mapping[Kind, float]

    def pick(self, share: float) -> Kind:
        """The kind at that share [0, 1) of all weights, in the order of `Kind`."""
        left = share * sum(self.weights.values())
        kinds = [kind for kind in Kind if self.weights.get(kind, 0) > 0]
        for kind in kinds:
            left -= self.weights[kind]
            if left < 0:
                return kind
        return kinds[-1]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(kind for kind in Kind if self.weights.get(kind, 0) > 0)


# Most people just pay; each of the others comes often enough to be met among a few dozen.
DEFAULT_MIX: Final = Mix(MappingProxyType({kind: _MEANT_FOR_ONE.get(kind, 3.0) for kind in Kind}))


def read_mix(path: Path) -> Mix:
    """Raises `ImpossibleMix`."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ImpossibleMix(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        text = path.read_text("utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ImpossibleMix(f"{path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise ImpossibleMix(f"{path}: {error}") from error
    except RecursionError as error:
        raise ImpossibleMix(f"{path}: nested too deeply") from error
    return mix_of(content, where=str(path))


def mix_of(content: object, *, where: str = "mix") -> Mix:
    """`{"customers": {"pays_at_once": 3, "abandons": 1}}`. Raises `ImpossibleMix`."""
    if not isinstance(content, dict) or not isinstance(content.get("customers"), dict):
        raise ImpossibleMix(f"{where}: a table `customers` with a weight for each kind is missing")
    if more := [name for name in content if name != "customers"]:
        raise ImpossibleMix(f"{where}: unknown: {', '.join(map(str, more))}")
    weights: dict[Kind, float] = {}
    for name, weight in content["customers"].items():
        if name not in set(Kind):
            known = ", ".join(Kind)
            raise ImpossibleMix(f"{where}: no customers of the kind {name!r}; known: {known}")
        weights[Kind(name)] = _weight(weight, f"{where}: {name}")
    if not sum(weights.values()) > 0:
        raise ImpossibleMix(f"{where}: no kind has a weight above 0, so nobody would come")
    return Mix(MappingProxyType(weights))


def _weight(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ImpossibleMix(f"{name}: a weight is a number, not {value!r}")
    # Also what is too large for a float, which JSON and TOML let one write.
    if value < 0 or value > 1e9 or not math.isfinite(value):
        raise ImpossibleMix(f"{name}: a weight is between 0 and 1000000000, not {value}")
    return float(value)
