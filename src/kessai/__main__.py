"""`kessai` and `python -m kessai`."""

from __future__ import annotations

import gc

from kessai.cli import app


def main() -> None:
    # What a command loads is no garbage: to search it at each 700 objects is a tenth of the start.
    gc.set_threshold(50_000, 20, 100)
    app()


if __name__ == "__main__":
    main()
