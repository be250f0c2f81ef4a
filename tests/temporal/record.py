"""Records the histories that `tests/saga/test_temporal_replay.py` replays: after a change that
workflows under way cannot survive, and only together with a patch that keeps the old ones alive.

    python -m tests.temporal.record
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.temporal.server import dev_server
from tests.temporal.stories import STORIES, machines
from tests.temporal.world import a_scene

FOLDER = Path(__file__).parent / "histories"


async def record(url: str) -> None:
    for name, story in STORIES.items():
        async with a_scene(url, machines()) as scene:
            history = await scene.history(await story(scene))
        (FOLDER / f"{name}.json").write_text(history.to_json() + "\n", encoding="utf-8")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, dev_server(Path(folder)) as server:
        asyncio.run(record(server.url))


if __name__ == "__main__":
    main()
