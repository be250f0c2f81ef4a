"""B4: the rules of the alerts: throughput beside peers, delay, memory, restore, exactly once.

    .venv/bin/python bench/alerts.py                      # all but the long campaigns
    .venv/bin/python bench/alerts.py catch-up --events 500000
    .venv/bin/python bench/alerts.py campaign --orders 100000 --kills 20 --over 480

On a Kafka of its own, or the one that `KESSAI_BUS_URL` names (a campaign kills only its own). Peers
run in the same run, where they can be had: quixstreams in an environment of its own, Kafka Streams
where `java` and `mvn` are; the table says which are not there. Machines are shared: rates count
events for each CPU-second of the processor's process, and the ratio of two says more than either. A
run with a wrong alert is void.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.alerts_runs import campaign, catch_up, live_orders, restore, steady
from tests.support.servers import server_url

RUNS: dict[str, Callable[[argparse.Namespace, str, Path], object]] = {
    "catch-up": lambda options, url, folder: catch_up(url, folder, options.events, options.peers),
    "steady": lambda options, url, folder: asyncio.run(steady(url, folder, options.seconds)),
    "live-orders": lambda options, url, folder: live_orders(url, folder, options.live),
    "restore": lambda options, url, folder: restore(url, folder, options.restored),
    "campaign": lambda options, url, folder: asyncio.run(
        campaign(url, folder, options.orders, options.kills, options.over, options.seed)
    ),
    "campaign-local": lambda options, _, folder: asyncio.run(
        campaign("", folder, options.orders, options.kills, options.over, options.seed)
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", choices=[*RUNS, []], help="all of them if none is named")
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--seconds", type=float, default=40.0, help="of steady traffic")
    parser.add_argument("--live", type=int, default=1_000_000, help="orders that wait at once")
    parser.add_argument("--restored", type=int, default=100_000, help="orders to restore")
    parser.add_argument("--orders", type=int, default=5_000, help="of a campaign")
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--over", type=float, default=60.0, help="seconds of a campaign")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    url = server_url("KESSAI_BUS_URL")
    result: dict[str, object] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 1),
    }
    for name in options.runs or RUNS:
        with tempfile.TemporaryDirectory() as folder:
            result[name] = RUNS[name](options, url, Path(folder))
    print(json.dumps(result, indent=None if options.json else 2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
