"""The stack's folder: what is remembered, secrets for the owner alone, data and logs."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from kessai.kernel.chance import Chance
from kessai.stack.application import DidNotStart, Remembered, StackError
from kessai.stack.domain.place import Plan
from kessai.stack.gateway.commands import CommandFailed, run
from kessai.stack.gateway.files import file_lock, replace_file

_PREPARE_LIMIT_S = 180.0
_STATE, _SECRETS, _ENV, _LOCK = "stack.json", "secrets.json", "env", "lock"
_TAIL_BYTES = 1 << 18


class StackFolder:
    def __init__(self, path: Path, chance: Chance) -> None:
        self.path = path
        self._chance = chance

    @property
    def env_file(self) -> Path:
        return self.path / _ENV

    def locked(self) -> AbstractAsyncContextManager[None]:
        self._make(self.path)
        return file_lock(self.path / _LOCK)

    def load(self) -> Remembered:
        kept = self._read(_STATE)
        ports = kept.get("ports")
        brokers = kept.get("brokers")
        return Remembered(
            ports={str(key): int(port) for key, port in ports.items()}
            if isinstance(ports, dict)
            else {},
            brokers=int(brokers) if isinstance(brokers, int) else None,
            proxied=kept.get("proxied") is True,
        )

    def save(self, remembered: Remembered) -> None:
        state = {
            "ports": dict(remembered.ports),
            "brokers": remembered.brokers,
            "proxied": remembered.proxied,
        }
        replace_file(self.path / _STATE, json.dumps(state, indent=2) + "\n")

    def secrets(self, names: Iterable[str]) -> Mapping[str, str]:
        """Made at the first need and kept: the data folders were made with them."""
        kept = {name: str(secret) for name, secret in self._read(_SECRETS).items()}
        if new := [name for name in names if name not in kept]:
            kept |= {name: self._new_secret() for name in new}
            self._make(self.path)
            replace_file(self.path / _SECRETS, json.dumps(kept, indent=2) + "\n")
        return kept

    def _new_secret(self) -> str:
        """22 characters that are a UUID to Kafka and need no quoting in a URL or a shell."""
        text = base64.urlsafe_b64encode(self._chance.token_bytes(16)).decode().rstrip("=")
        return text.replace("-", "a").replace("_", "b")

    def _read(self, name: str) -> Mapping[str, object]:
        file = self.path / name
        if not file.exists():
            return {}
        try:
            kept = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise StackError(f"{file}: not readable ({error}); `kessai stack wipe`") from error
        return kept if isinstance(kept, dict) else {}

    def write(self, plan: Plan) -> None:
        for file, text in plan.files.items():
            self._make(file.parent)
            replace_file(file, text)

    def is_prepared(self, server: str) -> bool:
        return self._mark(server).exists()

    async def prepare(self, server: str, plan: Plan) -> None:
        """Data without the mark is half of something: it was never used, and is made again."""
        self._make(self.path / server)
        if self.is_prepared(server):
            return
        for folder in plan.folders:
            if folder.exists():
                shutil.rmtree(folder)
            self._make(folder)
        for command in plan.first:
            try:
                await run(command, limit_s=_PREPARE_LIMIT_S, cwd=self.path / server)
            except CommandFailed as error:
                raise DidNotStart(f"its data could not be made: {error}") from error
        self._mark(server).touch()

    def _mark(self, server: str) -> Path:
        return self.path / server / "prepared"

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StackError(f"{folder}: {error.strerror}") from error

    def write_env(self, lines: Sequence[str]) -> None:
        replace_file(self.env_file, "".join(f"{line}\n" for line in lines))

    def log_tail(self, server: str, process: str, lines: int) -> list[str]:
        log = self.path / server / f"{process}.log"
        if not log.exists():
            return []
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
        return text.splitlines()[-lines:]

    def wipe(self, server: str) -> None:
        # First, so that half of the data is never taken for the whole.
        self._mark(server).unlink(missing_ok=True)
        folder = self.path / server
        if folder.is_dir():
            shutil.rmtree(folder)

    def wipe_rest(self) -> None:
        for name in (_STATE, _SECRETS, _ENV):
            (self.path / name).unlink(missing_ok=True)
