"""The web shell of every service: FastAPI behind one ASGI layer, errors, actuator, life cycle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Literal, cast

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig

from kessai.kernel import actuator as _actuator
from kessai.kernel import problem
from kessai.kernel.actuator import Condition, HealthCheck
from kessai.kernel.docs import docs_routes
from kessai.kernel.edge import PAGE_CSP, Edge, Rules
from kessai.kernel.metrics import Metrics
from kessai.kernel.runtime import Runtime
from kessai.kernel.supervisor import Supervisor

Hook = Callable[[], Awaitable[None]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
MAX_IN_FLIGHT: Final = 1000
# The trail of a request is our own; FastAPI's would be looked for at each request and never found.
_NO_SPANS: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False}


def create_app(
    *,
    title: str,
    runtime: Runtime,
    routers: Sequence[APIRouter] = (),
    health: Mapping[str, HealthCheck] | None = None,
    docs: bool = False,
    metrics: Metrics | None = None,
    supervisor: Supervisor | None = None,
    actuator: Literal["full", "status", "none"] = "full",
    body_limit_bytes: int | None = None,
    body_limits: Mapping[str, int] | None = None,
    max_in_flight: int = MAX_IN_FLIGHT,
    page_csp: str = PAGE_CSP,
    on_start: Sequence[Hook] = (),
    on_stop: Sequence[Hook] = (),
) -> FastAPI:
    """The app of the service called `title`.

    `actuator="status"` shows the status word alone, for a public port; `management_app` shows all
    of it on another. `body_limits` are exceptions by path prefix, `page_csp` is for HTML pages.
    """
    settings = runtime.settings
    condition = Condition(
        title, runtime.instance, metrics or Metrics(title), dict(health or {}), supervisor
    )
    rules = Rules(
        body_limit_bytes=body_limit_bytes or settings.body_limit_bytes,
        body_limits=dict(body_limits or {}),
        max_in_flight=max_in_flight,
        page_csp=page_csp,
        strict_transport=settings.public_url.startswith("https://"),
    )
    app = _routes(title, docs, _lifespan(on_start, on_stop))
    app.state.condition = condition
    app.add_middleware(
        Edge,
        condition=condition,
        clock=runtime.clock,
        ids=runtime.ids,
        rules=rules,
        actuator=_actuator_app(actuator, condition, runtime),
    )
    for router in (*routers, *([docs_routes(app)] if docs else [])):
        _take(app, router)
    return app


def _routes(title: str, docs: bool, lifespan: Lifespan) -> FastAPI:
    app = FastAPI(
        title=title,
        # Its own pages load a script from a CDN; `kernel.docs` writes one without.
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if docs else None,
        # A redirect to the other slash would carry the caller's Host header back.
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry=_NO_SPANS,
    )
    problem.install(app)
    return app


def management_app(app: FastAPI, *, runtime: Runtime) -> FastAPI:
    """The full actuator of `app` for a port that is not public."""
    condition = condition_of(app)
    return create_app(
        title=condition.service,
        runtime=runtime,
        routers=[_actuator.router(condition, token=_token(runtime))],
        actuator="none",
        metrics=condition.metrics,
    )


def condition_of(app: FastAPI) -> Condition:
    return cast(Condition, app.state.condition)


def _actuator_app(
    extent: Literal["full", "status", "none"], condition: Condition, runtime: Runtime
) -> FastAPI | None:
    """An app beside the routes: no request of a customer is compared with its twelve paths."""
    if extent == "none":
        return None
    if extent == "status":
        return _bare_app(_actuator.public_router(condition))
    return _bare_app(_actuator.router(condition, token=_token(runtime)))


def _bare_app(router: APIRouter) -> FastAPI:
    app = FastAPI(openapi_url=None, redirect_slashes=False, telemetry=_NO_SPANS)
    problem.install(app)
    _take(app, router)
    return app


def _take(app: FastAPI, router: APIRouter) -> None:
    """Its routes as the app's own: behind `include_router` each is looked for twice."""
    app.router.routes.extend(router.routes)


def _token(runtime: Runtime) -> str:
    return runtime.settings.service_token.get_secret_value()


def _lifespan(on_start: Sequence[Hook], on_stop: Sequence[Hook]) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        for hook in on_start:
            await hook()
        try:
            yield
        finally:
            for hook in on_stop:
                await hook()

    return lifespan
