"""Processes of this machine (Linux), found again by a note or by the mark in their environment."""

from __future__ import annotations

import getpass
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from kessai.stack.application import Running
from kessai.stack.domain.ownership import MARK, Note, Owned, Seen, mark, owned, parse_stat
from kessai.stack.domain.place import HOST, Launch
from kessai.stack.gateway.files import replace_file

_PROC = Path("/proc")


class LinuxMachine:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        # Held so that those which end while we run are seen as ended.
        self._children: list[subprocess.Popen[bytes]] = []

    def user(self) -> str:
        return getpass.getuser()

    def is_free(self, port: int) -> bool:
        with socket.socket() as probe:
            # As the servers do: what is left of closed connections is no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                return False
        return True

    def start(self, server: str, launch: Launch) -> None:
        marked = {MARK: mark(str(self._folder), launch.name)}
        with self._log(server, launch.name).open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - our own command line
                launch.command,
                env={**os.environ, **launch.env, **marked},
                cwd=self._folder / server,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # It outlives us, and Ctrl-C in our terminal is not for it.
                start_new_session=True,
            )
        self._children.append(child)
        self._write_note(server, launch.name, child.pid)

    def _write_note(self, server: str, process: str, pid: int) -> None:
        if (seen := self._seen(pid)) is not None:
            note = {"pid": pid, "startedTicks": seen.started_ticks, "boot": self._boot}
            replace_file(self._note(server, process), json.dumps(note))

    def running(self, server: str, process: str) -> tuple[Running, ...]:
        note = self._read_note(server, process)
        if note is not None and owned(note, self._boot, self._seen(note.pid)) is Owned.ALIVE:
            return (self._running(process, note.pid),)
        marked = list(self._marked(process))
        if marked:
            self._write_note(server, process, marked[0])
        return tuple(self._running(process, pid) for pid in marked)

    def _marked(self, process: str) -> Iterator[int]:
        wanted = f"{MARK}={mark(str(self._folder), process)}".encode()
        for entry in _PROC.iterdir():
            if entry.name.isdigit() and wanted in _environment(entry):
                seen = self._seen(int(entry.name))
                if seen is not None and not seen.is_zombie:
                    yield int(entry.name)

    def _running(self, process: str, pid: int) -> Running:
        try:
            resident = int((_PROC / str(pid) / "statm").read_text().split()[1])
        except (OSError, IndexError):
            resident = 0
        return Running(process, pid, resident * self._page_bytes)

    def was_started(self, server: str, process: str) -> bool:
        return self._note(server, process).exists()

    def end(self, server: str, process: str, *, at_once: bool) -> None:
        for alive in self.running(server, process):
            try:
                os.kill(alive.pid, signal.SIGKILL if at_once else signal.SIGTERM)
            except ProcessLookupError:
                continue

    def forget(self, server: str, process: str) -> None:
        self._note(server, process).unlink(missing_ok=True)

    def _seen(self, pid: int) -> Seen | None:
        for child in self._children:
            # Otherwise it would stay as a zombie.
            child.poll()
        try:
            return parse_stat((_PROC / str(pid) / "stat").read_text())
        except (OSError, ValueError):
            return None

    def _read_note(self, server: str, process: str) -> Note | None:
        try:
            note = json.loads(self._note(server, process).read_text("utf-8"))
            return Note(int(note["pid"]), int(note["startedTicks"]), str(note["boot"]))
        except (OSError, ValueError, KeyError, TypeError):
            # None there, or half of one: the mark finds the process.
            return None

    def _note(self, server: str, process: str) -> Path:
        return self._folder / server / f"{process}.pid"

    def _log(self, server: str, process: str) -> Path:
        return self._folder / server / f"{process}.log"


def _environment(entry: Path) -> list[bytes]:
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        # Another user's, or already gone.
        return []
