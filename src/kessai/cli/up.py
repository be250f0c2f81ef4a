"""`kessai up`, `serve` and `sim`: start, tell where everything is, stop gracefully."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kessai.cli.errors import fail, load_settings
from kessai.cli.misspelt import unknown_settings
from kessai.cli.starting import starting
from kessai.embedded import System, build_service, build_system, open_runtime
from kessai.kernel import crash_points, telemetry
from kessai.kernel.folder_lock import folder_held
from kessai.kernel.processes import end_with_parent
from kessai.kernel.server import check_ports, run, serve_all
from kessai.kernel.settings import Settings
from kessai.topology import (
    FIREBASE_SIMULATOR,
    PAYPAY_SIMULATOR,
    ServiceCard,
    service,
)

_ACCOUNTS = ("shopper@example.com", "operator@example.com", "viewer@example.com")
_PASSWORD = "kessai-demo"  # noqa: S105 - the simulator's seeded accounts
LAST_PORT = 65535
_SIMULATORS = {"paypay": PAYPAY_SIMULATOR, "firebase": FIREBASE_SIMULATOR}


def run_everything(*, simulators: bool) -> None:
    settings = load_settings()

    async def build() -> System:
        return await build_system(await open_runtime(settings), simulators=simulators)

    _run(settings, build, lambda system: _print_welcome(settings, system))


def run_service(name: str, *, port: int | None = None, parent: int | None = None) -> None:
    try:
        card = service(name)
    except LookupError as error:
        fail(str(error))
    if parent is not None:
        end_with_parent(parent)
    settings = load_settings()
    if port is not None and port + (card.management_port or card.port) - card.port > LAST_PORT:
        fail(f"--port {port}: the management port of {card.name} would lie above {LAST_PORT}")
    _run_one(card, settings, port)


def run_simulator(
    name: str,
    *,
    tls_port: int | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    parent: int | None = None,
) -> None:
    if name not in _SIMULATORS:
        fail(f"no simulator {name!r}; known: {', '.join(_SIMULATORS)}")
    card = _SIMULATORS[name]
    if parent is not None:
        end_with_parent(parent)
    if card is not PAYPAY_SIMULATOR and (tls_port, tls_cert, tls_key) != (None, None, None):
        fail(f"{card.name} speaks http only")
    settings = load_settings(
        sim_tls_port=tls_port,
        sim_tls_certificate=tls_cert and str(tls_cert),
        sim_tls_key=tls_key and str(tls_key),
    )
    _run_one(card, settings)


def _run_one(card: ServiceCard, settings: Settings, port: int | None = None) -> None:
    # A second instance on one machine must not take the first one's name.
    alone = port in (None, card.port + settings.port_offset)
    part = card.package if alone else f"{card.package}-{port}"
    if settings.env == "production" and card in _SIMULATORS.values():
        fail(f"{card.name} does not run in production")

    async def build() -> System:
        return await build_service(await open_runtime(settings, part=part), card, port=port)

    def welcome(system: System) -> None:
        console = Console(highlight=False, soft_wrap=True)
        for binding in system.bindings():
            console.print(f"{binding.service}: {binding.url}")
            if binding.tls is not None:
                console.print(f"certificate: {binding.tls.certificate.absolute()}")

    _run(settings, build, welcome)


def _run(
    settings: Settings,
    build: Callable[[], Awaitable[System]],
    welcome: Callable[[System], None],
) -> None:
    telemetry.configure(settings.log_level)
    if settings.is_open_with_known_token:
        telemetry.log.warning(
            "settings.known_token", bind_host=settings.bind_host, change="KESSAI_SERVICE_TOKEN"
        )
    # Those like none of ours are left alone: Kubernetes gives each process some that begin so.
    for name, meant in unknown_settings().items():
        if meant is not None:
            telemetry.log.warning("settings.misspelt", setting=name, meant=meant)
    if settings.crash_at:
        crash_points.arm(settings.crash_at)
    if settings.crash_points_file:
        crash_points.record_to(Path(settings.crash_points_file))
    with starting():
        run(_serve(settings, build, welcome))


async def _serve(
    settings: Settings,
    build: Callable[[], Awaitable[System]],
    welcome: Callable[[System], None],
) -> None:
    with ExitStack() as held:
        system = await build()
        try:
            name = system.runtime.settings.instance
            held.enter_context(folder_held(Path(settings.data_dir), name))
            check_ports(system.bindings())
            await system.start()
            await serve_all(
                system.bindings(),
                stop_timeout_s=settings.stop_timeout_s,
                on_ready=lambda _: welcome(system),
            )
        finally:
            await system.stop()


def _print_welcome(settings: Settings, system: System) -> None:
    rows = []
    for binding in system.bindings():
        rows.append((binding.service, replace(binding, host="127.0.0.1").url))
        if binding.tls is not None:
            rows.append(("its certificate", str(binding.tls.certificate.absolute())))
    accounts = any(unit.name == FIREBASE_SIMULATOR.name for unit in system.units)
    print_welcome(settings, rows, accounts=accounts)


def print_welcome(settings: Settings, rows: Sequence[tuple[str, str]], *, accounts: bool) -> None:
    """The line that says it is ready, and where everything is; `accounts` are the simulator's."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"\n[bold]Kessai 決済[/bold] is up: {settings.public_url}\n")
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, url in rows:
        table.add_row(name, url)
    if settings.env == "local":
        table.add_row("API documentation", f"{settings.public_url}/docs")
    table.add_row("health of each part", "/actuator/health on its port")
    console.print(table)
    for url in settings.closed_to_browsers:
        console.print(f"no browser opens {url}: its port is blocked. Change KESSAI_PORT_OFFSET")
    if accounts:
        console.print(f"\naccounts: {', '.join(_ACCOUNTS)}   password: {_PASSWORD}")
    console.print(f"data: {settings.data_dir}   try: make demo   stop: Ctrl-C\n")
