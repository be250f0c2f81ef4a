"""Runs seeds in this very tree until one of them finds something wrong: one line of JSON.

`python -m kessai.proof.mutants.hunt 1 300`. `ready` comes first, so that a tree that does not even
start is told from one that is caught.
"""

from __future__ import annotations

import json
import resource
import sys

from kessai.proof.simulation.run import many_seeds, run_seed

# Of processor time: a mutant may make a seed run for ever, which is being found, too.
LIMIT_S = 900


def hunt(first: int, last: int) -> dict[str, object]:
    with many_seeds() as between:
        for seed in range(first, last + 1):
            found = run_seed(seed).violations
            if found:
                return {"seeds": seed - first + 1, "seed": seed, "violations": list(found)}
            between()
    return {"seeds": last - first + 1, "seed": None, "violations": []}


def main() -> int:
    first, last = (int(word) for word in sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S + 5))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdout.write(json.dumps(hunt(first, last)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
