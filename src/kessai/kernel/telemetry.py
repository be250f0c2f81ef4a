"""Logs as events: one JSON line per fact, with correlation id and service name, without secrets.

`log.info("payment.settled", payment_id=...)`: names are dotted, facts are keywords. Lines go to
stderr; stdout belongs to the command's own answer. Levels are those of stdlib `logging`, so one
logger can be turned up while the process runs (`/actuator/loggers`).
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TextIO, TypeAlias, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from kessai.kernel.clock import Clock, SystemClock, wire
from kessai.kernel.secrecy import redact

Log: TypeAlias = FilteringBoundLogger

# Each of them writes a line per request at INFO, which costs 70-90 us and says nothing new.
_QUIET: Final = (
    "httpx",
    "httpx2",
    "httpcore",
    "aiohttp",
    "uvicorn",
    "asyncio",
    "stamina",
    "alembic",
)

_correlation: ContextVar[str] = ContextVar("kessai_correlation_id", default="")
_service: ContextVar[str] = ContextVar("kessai_service", default="")
_traceparent: ContextVar[str] = ContextVar("kessai_traceparent", default="")


def get_log(name: str) -> Log:
    """A logger whose level is that of the stdlib logger of this name."""
    # structlog's own look-up finds it anew for each line, which costs more than a line unheard.
    return cast(Log, _Teller(_Lines(name), _processors, {}))


def correlation_id() -> str:
    """The id that ties together all that one request or record caused; empty outside of one."""
    return _correlation.get()


def service_name() -> str:
    return _service.get()


def outgoing_headers() -> dict[str, str]:
    """What every outgoing call and message carries, so that the trail goes on."""
    headers = {"X-Correlation-ID": _correlation.get()} if _correlation.get() else {}
    if _traceparent.get():
        headers["traceparent"] = _traceparent.get()
    return headers


class _Within:
    """A variable's value while a block runs. A generator's frame costs five times as much."""

    __slots__ = ("_token", "_value", "_variable")

    def __init__(self, variable: ContextVar[str], value: str) -> None:
        self._variable = variable
        self._value = value

    def __enter__(self) -> None:
        self._token = self._variable.set(self._value)

    def __exit__(self, *_: object) -> None:
        self._variable.reset(self._token)


class _OnTrail:
    __slots__ = ("_correlation", "_tokens", "_traceparent")

    def __init__(self, correlation: str, traceparent: str) -> None:
        self._correlation = correlation
        self._traceparent = traceparent

    def __enter__(self) -> None:
        self._tokens = _correlation.set(self._correlation), _traceparent.set(self._traceparent)

    def __exit__(self, *_: object) -> None:
        _correlation.reset(self._tokens[0])
        _traceparent.reset(self._tokens[1])


def in_service(name: str) -> AbstractContextManager[None]:
    """Lines of this block are those of the named service."""
    return _Within(_service, name)


def correlated(correlation: str, *, traceparent: str = "") -> AbstractContextManager[None]:
    """Lines and outgoing calls of this block carry the id: a record's header, a request's id."""
    return _OnTrail(correlation, traceparent)


def configure(
    level: str = "INFO",
    json: bool = True,
    *,
    clock: Clock | None = None,
    stream: TextIO | None = None,
) -> None:
    """Sets the format of all lines of this process, stdlib loggers included; may be repeated."""
    _sink.stream, _sink.lost = stream, 0
    _sink.clock = clock or SystemClock()
    # In place: a logger that is bound already keeps this very list.
    _processors[:] = [_drop_by_level, *_FACTS, _render_json if json else _console()]
    _install()
    root = logging.getLogger()
    root.handlers[:] = [_Bridge(_processors[1:])]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


@dataclass(frozen=True, slots=True)
class Heard:
    """A line before anything of it is written, with the error itself instead of its traceback."""

    service: str
    event: str
    error: BaseException | None


@contextmanager
def overheard(listen: Callable[[Heard], None], level: str = "ERROR") -> Iterator[None]:
    """Lines of the level and above go to `listen` while the block runs, all others nowhere."""

    def hear(_logger: _Lines, _method: str, event: EventDict) -> EventDict:
        service = str(event.get("service") or _service.get())
        listen(Heard(service, str(event["event"]), _error_of(event.get("exc_info"))))
        raise structlog.DropEvent

    root = logging.getLogger()
    before = root.level, root.handlers[:], _processors[:]
    root.setLevel(level)
    root.handlers[:] = [_Ear(listen)]
    _processors[:] = [_drop_by_level, hear]
    try:
        yield
    finally:
        root.setLevel(before[0])
        root.handlers[:], _processors[:] = before[1:]


class _Ear(logging.Handler):
    """Lines of libraries, heard likewise."""

    def __init__(self, listen: Callable[[Heard], None]) -> None:
        super().__init__()
        self._listen = listen

    def emit(self, record: logging.LogRecord) -> None:
        self._listen(Heard(_service.get(), record.name, _error_of(record.exc_info)))


def _error_of(exc_info: object) -> BaseException | None:
    found = exc_info
    if exc_info is True:
        found = sys.exc_info()[1]
    elif isinstance(exc_info, tuple):
        found = exc_info[1]
    return found if isinstance(found, BaseException) else None


class _Sink:
    """Where lines go. The stream is looked up at each line unless one was given."""

    def __init__(self) -> None:
        self.stream: TextIO | None = None
        self.clock: Clock = SystemClock()
        self.lost = 0

    def write(self, line: str) -> None:
        """Never raises: a full disk under the log decides nothing about orders and money."""
        try:
            self._write(line)
        except ValueError:
            # The stream was closed under us, as at the very end of a process: nowhere to tell.
            return
        except OSError:
            self.lost += 1
            return
        if self.lost:
            lost, self.lost = self.lost, 0
            get_log("kessai.telemetry").warning("log.lines_lost", lines=lost)

    def _write(self, line: str) -> None:
        stream = self.stream or sys.stderr
        try:
            stream.write(line + "\n")
        except UnicodeEncodeError:
            stream.write(line.encode("ascii", "backslashreplace").decode() + "\n")
        stream.flush()


_sink: Final = _Sink()
_processors: Final[list[Processor]] = []


class _Lines:
    """The innermost logger: its level is the stdlib logger's, its output the sink."""

    def __init__(self, name: str = "kessai") -> None:
        self.name = name
        self.is_enabled_for = logging.getLogger(name).isEnabledFor

    def msg(self, line: str) -> None:
        _sink.write(line)

    debug = info = warning = error = critical = msg


class _Bridge(logging.Handler):
    """Lines of libraries in our format: the event is the logger's name, the text a fact."""

    def __init__(self, processors: Sequence[Processor]) -> None:
        super().__init__()
        self._processors = processors

    def emit(self, record: logging.LogRecord) -> None:
        fields: EventDict = {"event": record.name, "message": record.getMessage()}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        line: object = fields
        for processor in self._processors:
            line = processor(_Lines(record.name), record.levelname.lower(), cast(EventDict, line))
        _sink.write(str(line))


_LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
    "critical": logging.CRITICAL,
}


def _drop_by_level(logger: _Lines, method: str, event: EventDict) -> EventDict:
    if not logger.is_enabled_for(_LEVELS[method]):
        raise structlog.DropEvent
    return event


def _telling(method: str) -> Callable[..., None]:
    level = _LEVELS[method]

    def tell(self: _Teller, event: str, **facts: object) -> None:
        # What nobody hears ends here. A test that listens in has put its own processor first.
        if self._logger.is_enabled_for(level) or _processors[0] is not _drop_by_level:
            self._proxy_to_logger(method, event, **facts)

    return tell


class _Teller(structlog.BoundLoggerBase):
    """The levels of a `Log`, each asked before anything of its line is made."""

    debug = _telling("debug")
    info = _telling("info")
    warning = _telling("warning")
    error = _telling("error")
    critical = _telling("critical")

    def exception(self, event: str, **facts: object) -> None:
        self.error(event, **{"exc_info": True, **facts})


def _add_context(logger: _Lines, method: str, event: EventDict) -> EventDict:
    """Time, level, service and correlation id first, in a fixed order."""
    line: EventDict = {"at": _stamp(_sink.clock.now_ms()), "level": _level_name(method)}
    line["event"] = event.pop("event", "")
    line["service"] = event.pop("service", None) or _service.get()
    if correlation := event.pop("correlation_id", None) or _correlation.get():
        line["correlation_id"] = correlation
    line["logger"] = logger.name
    line.update(event)
    return line


def _stamp(ms: int) -> str:
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    # Formatting a date costs more than all else of a line, and a second has many lines.
    return wire(seconds * 1000)[:-5]


def _level_name(method: str) -> str:
    return "error" if method == "exception" else method


def _render_json(_logger: object, _method: str, event: EventDict) -> str:
    return _encode(event)


_encode: Final = json.JSONEncoder(ensure_ascii=False, default=str).encode


def _console() -> Processor:
    plain = structlog.dev.ConsoleRenderer(colors=False, timestamp_key="at", pad_event_to=0)
    return cast(Processor, plain)


_FACTS: Final[Sequence[Processor]] = (
    _add_context,
    structlog.processors.format_exc_info,
    redact,
)


def _install() -> None:
    structlog.configure(
        processors=_processors,
        wrapper_class=_Teller,
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )


# Before `configure`, as in tests: the same lines, from stdlib's WARNING up. structlog's own default
# draws tracebacks with all local values, which is slow (seconds) and tells secrets.
_processors[:] = [_drop_by_level, *_FACTS, _render_json]
_install()
log: Final[Log] = get_log("kessai")
