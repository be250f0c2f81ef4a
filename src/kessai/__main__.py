"""`kessai` and `python -m kessai`."""

from __future__ import annotations

from kessai.cli import app


def main() -> None:
    app()


if __name__ == "__main__":
    main()
