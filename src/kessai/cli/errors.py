"""One clear line and an exit code, never a traceback, for what a user can mend."""

from __future__ import annotations

from typing import NoReturn

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from rich.console import Console

from kessai.kernel.settings import Settings

USAGE = 2
_stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str, code: int = USAGE) -> NoReturn:
    _stderr.print(f"[red]kessai:[/red] {message}")
    raise typer.Exit(code)


def note(message: str) -> None:
    """A line for people that ends nothing."""
    _stderr.print(f"[yellow]kessai:[/yellow] {message}")


def complaint(problem: ErrorDetails) -> str:
    """What is wrong, without the word that pydantic puts before a sentence of ours."""
    return problem["msg"].removeprefix("Value error, ")


def load_settings(**given: object) -> Settings:
    """The settings of this process; what is wrong with them is said in a line each.

    What a command was `given` wins over the environment, None is not given.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        problems = "; ".join(
            f"KESSAI_{'_'.join(map(str, problem['loc'])).upper()}: {complaint(problem)}"
            if problem["loc"]
            else complaint(problem)
            for problem in error.errors(include_input=False, include_url=False)
        )
        fail(f"settings: {problems}")
    except UnicodeDecodeError as error:
        fail(f"settings: .env is no text in UTF-8: {error.reason} at byte {error.start}")
    except OSError as error:
        fail(f"settings: {error.filename}: {error.strerror}")
