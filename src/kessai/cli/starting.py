"""Why a shop does not start, in one line that names what to change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from rich.markup import escape

from kessai.cli.errors import fail
from kessai.cli.running import running
from kessai.embedded import service_urls
from kessai.kernel.errors import DatabaseUnavailable
from kessai.kernel.folder_lock import FolderTaken
from kessai.kernel.migrations import SchemaTooNew
from kessai.kernel.server import CannotListen, PortTaken
from kessai.kernel.settings import Settings


@contextmanager
def naming_settings() -> Iterator[None]:
    """Ends the command with exit code 2 where a setting cannot be followed."""
    try:
        yield
    except ValueError as error:
        fail(escape(str(error)))
    except OSError as error:
        if error.filename is None:
            raise
        # All files of ours lie there.
        fail(escape(f"KESSAI_DATA_DIR: {error.filename}: {error.strerror}"))


@contextmanager
def starting() -> Iterator[None]:
    """Ends the command with exit code 2 for what a user can mend."""
    try:
        with naming_settings():
            yield
    except PortTaken as taken:
        fail(f"port {taken.port} is taken by another process, but {taken.service} needs it")
    except FolderTaken as error:
        fail(escape(f"KESSAI_DATA_DIR or KESSAI_INSTANCE: {error}"))
    except CannotListen as error:
        fail(f"KESSAI_HOST or KESSAI_BIND_HOST: {error}")
    except DatabaseUnavailable as error:
        fail(escape(f"KESSAI_SQL_URL or KESSAI_DATA_DIR: {error}"))
    except SchemaTooNew as error:
        fail(escape(str(error)))


@asynccontextmanager
async def a_shop(settings: Settings) -> AsyncIterator[bool]:
    """The shop that answers, or one of its own; yields whether it was started."""
    async with AsyncExitStack() as stack:
        with starting():
            service_urls(settings)
            started = await stack.enter_async_context(running(settings))
        yield started
