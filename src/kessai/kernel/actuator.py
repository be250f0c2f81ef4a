"""Health, info, metrics and log levels of a service in Spring Boot Actuator's JSON shapes."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import platform
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Final, Literal, TypeAlias

from fastapi import APIRouter, Depends, Query, Request
from prometheus_client import Metric
from prometheus_client.samples import Sample
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from kessai.kernel import metrics as prometheus
from kessai.kernel.errors import JsonValue, KessaiError, Kind, NotFound, Refused, Unknown
from kessai.kernel.metrics import Metrics
from kessai.kernel.supervisor import Supervisor
from kessai.kernel.telemetry import get_log

# Facts to show when all is well, or an exception: then the component is DOWN, or DEGRADED.
HealthCheck: TypeAlias = Callable[[], Awaitable[Mapping[str, JsonValue] | None]]

PREFIX: Final = "/actuator"
_ENDPOINTS: Final = ("health", "info", "metrics", "prometheus", "loggers")
_UP, _DEGRADED, _DOWN = "UP", "DEGRADED", "DOWN"
_PUBLIC_CACHE_S: Final = 1.0
_log: Final = get_log("kessai.health")


class Degraded(KessaiError):
    """It works and will not for long: somebody has to look, and nobody is sent elsewhere."""

    def __init__(self, details: Mapping[str, JsonValue]) -> None:
        super().__init__("degraded")
        self.details = details


@dataclass(slots=True)
class Condition:
    """How a service is; its public and its management port show the same one."""

    service: str
    instance: str
    metrics: Metrics
    checks: Mapping[str, HealthCheck] = field(default_factory=dict)
    supervisor: Supervisor | None = None
    check_timeout_s: float = 1.0
    down: dict[str, str] = field(default_factory=dict)

    async def components(self) -> dict[str, JsonValue]:
        """All checks at once, each within its timeout; the background loops are one component."""
        checks = dict(self.checks)
        if self.supervisor:
            checks["loops"] = _loops_of(self.supervisor)
        found = await asyncio.gather(*(self._component(*item) for item in checks.items()))
        return dict(zip(checks, found, strict=True))

    async def _component(self, name: str, check: HealthCheck) -> JsonValue:
        try:
            async with asyncio.timeout(self.check_timeout_s):
                details = await check()
        except TimeoutError:
            return self._is_down(name, {"error": f"no answer within {self.check_timeout_s} s"})
        except Degraded as degraded:
            return self._is_down(name, degraded.details, word=_DEGRADED)
        except Unwell as unwell:
            return self._is_down(name, unwell.details)
        except Exception as error:
            return self._is_down(name, {"error": _short(error)}, error)
        if self.down.pop(name, None):
            _log.info("health.up", component=name, service=self.service)
        return {"status": _UP, **({"details": dict(details)} if details else {})}

    def _is_down(
        self,
        name: str,
        details: Mapping[str, JsonValue],
        error: Exception | None = None,
        word: str = _DOWN,
    ) -> JsonValue:
        # One line when it falls, not one for each question.
        if self.down.get(name) != word:
            self.down[name] = word
            _log.warning(
                f"health.{word.lower()}",
                component=name,
                service=self.service,
                details=dict(details),
                exc_info=error,
            )
        return {"status": word, "details": dict(details)}


class Unwell(KessaiError):
    """It is DOWN, and the details say why."""

    def __init__(self, details: Mapping[str, JsonValue]) -> None:
        super().__init__("unwell")
        self.details = details


def _loops_of(supervisor: Supervisor) -> HealthCheck:
    async def loops() -> Mapping[str, JsonValue]:
        seen = supervisor.health()
        details: dict[str, JsonValue] = {
            name: {"failing": loop.failing, "failures": loop.failures, "error": loop.last_error}
            for name, loop in seen.items()
        }
        if any(loop.failing for loop in seen.values()):
            raise Unwell(details)
        return details

    return loops


def _short(error: Exception) -> str:
    """The class and our own code; the messages of others name hosts and SQL."""
    code = f" {error.code}" if isinstance(error, Refused | Unknown) else ""
    return f"{type(error).__name__}{code}"


def router(condition: Condition, *, token: str | None = None) -> APIRouter:
    """All endpoints. With a `token`, callers from outside of this machine must present it."""
    guards = [Depends(_only_local_or_with(token))] if token else []
    routes = APIRouter(
        prefix=PREFIX, tags=["actuator"], dependencies=guards, include_in_schema=False
    )
    _add_health(routes, condition)
    _add_metrics(routes, condition)
    _add_loggers(routes)

    @routes.get("")
    async def links(request: Request) -> Response:
        base = f"{str(request.base_url).rstrip('/')}{PREFIX}"
        found: dict[str, JsonValue] = {"self": _link(base)}
        for name in _ENDPOINTS:
            found[name] = _link(f"{base}/{name}")
        found["health-path"] = _link(f"{base}/health/{{*path}}")
        found["metrics-requiredMetricName"] = _link(f"{base}/metrics/{{requiredMetricName}}")
        found["loggers-name"] = _link(f"{base}/loggers/{{name}}")
        return JSONResponse({"_links": found})

    @routes.get("/info")
    async def info() -> Response:
        app = {"name": condition.service, "version": _version(), "instance": condition.instance}
        python = {"version": platform.python_version(), "name": platform.python_implementation()}
        return JSONResponse({"app": app, "python": python})

    return routes


def public_router(condition: Condition) -> APIRouter:
    """`/actuator/health` with the status word alone, asked at most once a second."""
    routes = APIRouter(prefix=PREFIX, tags=["actuator"], include_in_schema=False)
    kept: list[tuple[float, str]] = []

    @routes.get("/health")
    async def health() -> Response:
        now = asyncio.get_running_loop().time()
        if not kept or now - kept[0][0] >= _PUBLIC_CACHE_S:
            kept[:] = [(now, _overall(await condition.components()))]
        return _health_answer({"status": kept[0][1]})

    return routes


def _version() -> str:
    try:
        return version("kessai")
    except PackageNotFoundError:
        return "unknown"


def _link(href: str) -> JsonValue:
    return {"href": href, "templated": "{" in href}


def _only_local_or_with(token: str) -> Callable[[Request], Awaitable[None]]:
    expected = f"Bearer {token}".encode()

    async def check(request: Request) -> None:
        if request.client and _is_loopback(request.client.host):
            return
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            raise Refused("FORBIDDEN", "a service token is required", kind=Kind.FORBIDDEN)

    return check


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# --- health ---------------------------------------------------------------------------------


def _add_health(routes: APIRouter, condition: Condition) -> None:
    @routes.get("/health")
    async def health() -> Response:
        components = await condition.components()
        groups = ["liveness", "readiness"]
        return _health_answer(
            {"status": _overall(components), "components": components, "groups": groups}
        )

    @routes.get("/health/liveness")
    async def liveness() -> Response:
        # A dependency that is down must not restart everything, so none is asked.
        return _health_answer({"status": _UP})

    @routes.get("/health/readiness")
    async def readiness() -> Response:
        components = await condition.components()
        return _health_answer({"status": _overall(components), "components": components})

    @routes.get("/health/{name}")
    async def component(name: str) -> Response:
        found = (await condition.components()).get(name)
        if not isinstance(found, Mapping):
            raise NotFound(f"no component {name!r}")
        return _health_answer(found)


def _overall(components: Mapping[str, JsonValue]) -> str:
    words = [item["status"] for item in components.values() if isinstance(item, Mapping)]
    return next((word for word in (_DOWN, _DEGRADED) if word in words), _UP)


def _health_answer(content: Mapping[str, JsonValue]) -> Response:
    return JSONResponse(dict(content), status_code=503 if content["status"] == _DOWN else 200)


# --- metrics --------------------------------------------------------------------------------


def _add_metrics(routes: APIRouter, condition: Condition) -> None:
    @routes.get("/prometheus")
    async def prometheus_text() -> Response:
        return Response(condition.metrics.prometheus(), media_type=prometheus.CONTENT_TYPE)

    @routes.get("/metrics")
    async def names() -> Response:
        found = {_meter(family)[0]: None for family in condition.metrics.families()}
        return JSONResponse({"names": sorted(found)})

    @routes.get("/metrics/{name}")
    async def metric(name: str, tag: Annotated[tuple[str, ...], Query()] = ()) -> Response:
        for family in condition.metrics.families():
            if name in (_meter(family)[0], family.name) and (shown := _shown(family, tag)):
                return JSONResponse(shown)
        raise NotFound("no such metric")


def _meter(family: Metric) -> tuple[str, str | None]:
    """Name and base unit as Micrometer has them: `http.server.requests`, `seconds`."""
    name: str = family.name
    for unit in ("seconds", "bytes"):
        if name.endswith(f"_{unit}"):
            return name.removesuffix(f"_{unit}").replace("_", "."), unit
    return name.replace("_", "."), None


def _shown(family: Metric, tags: Sequence[str]) -> dict[str, JsonValue] | None:
    """Sums over the samples that carry all `tags` (`key:value`); None where there is none."""
    name, unit = _meter(family)
    wanted = dict(tag.split(":", 1) for tag in tags if ":" in tag)
    sums: dict[str, float] = {}
    values: dict[str, dict[str, None]] = {}
    for sample in family.samples:
        statistic = _statistic(family, sample, unit)
        if statistic is None or not wanted.items() <= sample.labels.items():
            continue
        sums[statistic] = sums.get(statistic, 0.0) + sample.value
        for key, value in sample.labels.items():
            if key not in wanted:
                values.setdefault(key, {})[value] = None
    if wanted and not sums:
        return None
    return {
        "name": name,
        "description": family.documentation,
        "baseUnit": unit,
        "measurements": [{"statistic": key, "value": value} for key, value in sums.items()],
        "availableTags": [{"tag": key, "values": sorted(found)} for key, found in values.items()],
    }


def _statistic(family: Metric, sample: Sample, unit: str | None) -> str | None:
    if family.type in ("histogram", "summary"):
        total = "TOTAL_TIME" if unit == "seconds" else "TOTAL"
        return {f"{family.name}_count": "COUNT", f"{family.name}_sum": total}.get(sample.name)
    return "COUNT" if family.type == "counter" else "VALUE"


# --- log levels -----------------------------------------------------------------------------

_ROOT: Final = "ROOT"
_LEVELS: Final[Mapping[str, int]] = {
    "OFF": logging.CRITICAL + 10,
    "ERROR": logging.ERROR,
    "WARN": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
    "TRACE": 5,
}


class LevelChange(BaseModel):
    """`null` takes the level of the parent again."""

    model_config = ConfigDict(frozen=True)

    configured_level: Literal["OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"] | None = Field(
        None, alias="configuredLevel"
    )


def _add_loggers(routes: APIRouter) -> None:
    @routes.get("/loggers")
    async def loggers() -> Response:
        found: dict[str, JsonValue] = {_ROOT: _levels_of(logging.getLogger())}
        for name in sorted(logging.root.manager.loggerDict):
            if isinstance(known := logging.root.manager.loggerDict[name], logging.Logger):
                found[name] = _levels_of(known)
        return JSONResponse({"levels": list(_LEVELS), "loggers": found, "groups": {}})

    @routes.get("/loggers/{name}")
    async def logger(name: str) -> Response:
        return JSONResponse(_levels_of(_logger(name)))

    @routes.post("/loggers/{name}")
    async def change(name: str, wanted: LevelChange) -> Response:
        level = wanted.configured_level
        _logger(name).setLevel(_LEVELS[level] if level else logging.NOTSET)
        _log.warning("log.level_changed", changed=name, configured_level=level)
        return Response(status_code=204)


def _logger(name: str) -> logging.Logger:
    """A logger that exists: making one for each name that is asked would have no limit."""
    if name.upper() == _ROOT:
        return logging.getLogger()
    if not isinstance(known := logging.root.manager.loggerDict.get(name), logging.Logger):
        raise NotFound("no such logger")
    return known


def _levels_of(logger: logging.Logger) -> dict[str, JsonValue]:
    effective = _level_name(logger.getEffectiveLevel())
    if logger.level == logging.NOTSET:
        return {"effectiveLevel": effective}
    return {"configuredLevel": _level_name(logger.level), "effectiveLevel": effective}


def _level_name(level: int) -> str:
    """The lowest of Spring's levels that lets these lines through."""
    return min((value, name) for name, value in _LEVELS.items() if value >= min(level, 60))[1]
