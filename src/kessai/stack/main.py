"""The stack of a data folder, wired for this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from kessai.kernel.chance import SystemChance
from kessai.kernel.clock import SystemClock
from kessai.stack.application import Stack, StackError
from kessai.stack.domain.env import CACHE_SETTING
from kessai.stack.domain.server import BASE_PORT
from kessai.stack.gateway.cache import Cache
from kessai.stack.gateway.folder import StackFolder
from kessai.stack.gateway.machine import LinuxMachine
from kessai.stack.gateway.probes import ServerProbes
from kessai.stack.gateway.programs import MachinePrograms


def stack_folder(data_dir: str) -> StackFolder:
    return StackFolder((Path(data_dir) / "stack").absolute(), SystemChance())


def build_stack(folder: StackFolder, base_port: int = BASE_PORT) -> Stack:
    if sys.platform != "linux":
        raise StackError("kessai stack runs on Linux; elsewhere: docker compose up")
    return Stack(
        folder,
        LinuxMachine(folder.path),
        MachinePrograms(Cache(cache_folder(os.environ)), _search_path(os.environ)),
        ServerProbes(),
        SystemClock(),
        base_port,
    )


def _search_path(environ: Mapping[str, str]) -> str:
    """Programs of servers lie where not every user's PATH leads."""
    return os.pathsep.join((environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Outside of any work tree, so that several share it and cleaning one keeps it."""
    if chosen := environ.get(CACHE_SETTING):
        return Path(chosen).absolute()
    home = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "kessai" / "stack"
