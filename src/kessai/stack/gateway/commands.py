"""Other programs, run to their end; a failure tells what they said last."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

_LAST_WORDS = 400


class CommandFailed(Exception):
    """What it said last."""


async def run(
    command: Sequence[str | Path],
    *,
    limit_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    is_heavy: bool = False,
) -> str:
    """Its output. Raises `CommandFailed`; it ends with us when we are interrupted."""
    polite = ("nice", "-n", "10") if is_heavy else ()
    words = [*polite, *map(str, command)]
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    except OSError as error:
        raise CommandFailed(f"{words[0]}: {error.strerror}") from error
    try:
        output, _ = await asyncio.wait_for(process.communicate(), limit_s)
    except TimeoutError:
        raise CommandFailed(f"{command[0]} took more than {limit_s:.0f} s") from None
    finally:
        if process.returncode is None:
            # The whole group: build tools start others.
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    text = output.decode("utf-8", "replace")
    if process.returncode:
        said = " ".join(text.split())[-_LAST_WORDS:]
        raise CommandFailed(f"{command[0]} answered {process.returncode}: {said}")
    return text
