"""Why a shop does not start, in one line that names what to change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from rich.markup import escape

from kessai.cli.errors import fail
from kessai.embedded import running
from kessai.kernel.errors import DatabaseUnavailable
from kessai.kernel.migrations import SchemaTooNew
from kessai.kernel.server import CannotListen, PortTaken
from kessai.kernel.settings import Settings


@contextmanager
def starting() -> Iterator[None]:
    """Ends the command with exit code 2 for what a user can mend."""
    try:
        yield
    except PortTaken as taken:
        fail(f"port {taken.port} is taken by another process, but {taken.service} needs it")
    except CannotListen as error:
        fail(f"KESSAI_HOST or KESSAI_BIND_HOST: {error}")
    except DatabaseUnavailable as error:
        fail(f"KESSAI_SQL_URL: {error}")
    except (SchemaTooNew, ValueError) as error:
        fail(escape(str(error)))


@asynccontextmanager
async def a_shop(settings: Settings) -> AsyncIterator[bool]:
    """The shop that answers, or one of its own; yields whether it was started."""
    async with AsyncExitStack() as stack:
        with starting():
            started = await stack.enter_async_context(running(settings))
        yield started
