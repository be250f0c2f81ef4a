"""Wiring of es-service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib import resources
from pathlib import Path

from fastapi import FastAPI

from kessai.contracts.search import MAX_IMAGE_BYTES, SearchService
from kessai.contracts.storage import StorageService
from kessai.kernel.app import create_app
from kessai.kernel.calls import observed
from kessai.kernel.errors import Unknown
from kessai.kernel.metrics import Metrics
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.settings import Settings
from kessai.kernel.supervisor import Supervisor
from kessai.kernel.telemetry import get_log
from kessai.search.application.indexing import MAX_BATCH, Indexing, Intake
from kessai.search.application.pictures import Pictures
from kessai.search.application.ports import ProductIndex
from kessai.search.application.searching import Searching
from kessai.search.application.service import Search
from kessai.search.application.wordlist import WordList
from kessai.search.domain.planner import Planner
from kessai.search.domain.synonyms import Synonyms
from kessai.search.domain.words import Split
from kessai.search.gateway.dictionary import SudachiWords
from kessai.search.gateway.elastic_index import open_elastic
from kessai.search.gateway.raster import PictureRaster
from kessai.search.gateway.tantivy_index import TantivyIndex
from kessai.search.web import IMAGES_PREFIX, on_product, routes
from kessai.topology import PRODUCTS_TOPIC, SEARCH, STORAGE

INDEX_GROUP = "es-service.index"
IN_MEMORY = "memory:"
_START_S = 5.0
_CALL_PATH = "/internal/calls/import_image"
_log = get_log(__name__)


async def build(runtime: Runtime, *, storage: StorageService) -> Unit[SearchService]:
    """On a local machine the demo goods can be found, and have pictures, before anybody looks.

    A store that is slow or away holds the start up for a moment only: gaps are filled later.
    """
    settings, metrics = runtime.settings, Metrics(SEARCH.name)
    storage = observed(StorageService, storage, STORAGE.name, metrics.observe_call)
    supervisor = Supervisor(SEARCH.name, stop_timeout_s=settings.stop_timeout_s)
    pictures = Pictures(runtime.objects, PictureRaster(runtime.aside), storage, supervisor)
    index = await open_index(runtime)
    split = SudachiWords()
    words = WordList(index, runtime.clock)
    on_demand = settings.search_url == IN_MEMORY
    indexing = Indexing(index, storage, words, split, on_demand=on_demand)
    searching = Searching(index, Planner(split, read_synonyms(split)), words)
    port = Search(index, searching, indexing, pictures)
    intake = Intake(indexing)
    consumer = runtime.bus.consumer(
        index_group(settings), [PRODUCTS_TOPIC], on_product(intake.take), at_once=MAX_BATCH
    )

    tried, filled = asyncio.Event(), asyncio.Event()

    async def follow() -> None:
        """From the catalogue that the index was filled with: before that nobody could take it."""
        await filled.wait()
        await consumer.run()

    async def start() -> None:
        supervisor.spawn("catalogue", fill())
        supervisor.start("products", follow)
        with suppress(TimeoutError):
            await asyncio.wait_for(tried.wait(), _START_S)

    async def fill() -> None:
        """Pictures first, so that what is found has them. Started alone, es-service may be up
        before storage-service is."""
        steps: list[Callable[[], Awaitable[bool]]] = []
        if settings.env == "local":
            steps.append(pictures.hang_drawings)
        if not on_demand:
            steps.append(lambda: _tried(indexing.init))
        for done in steps:
            while not await done():
                tried.set()
                await asyncio.sleep(settings.idle_poll_s)
        tried.set()
        filled.set()

    return Unit(
        name=SEARCH.name,
        build_app=lambda: _app(runtime, port, index, supervisor, metrics),
        port=port,
        supervisor=supervisor,
        start=start,
        closers=[index.close],
    )


async def open_index(runtime: Runtime) -> ProductIndex:
    """Raises `ValueError` with a line for people."""
    settings = runtime.settings
    if settings.search_url == IN_MEMORY:
        return await TantivyIndex.open(None, runtime.aside)
    if settings.search_url == "tantivy:":
        # The files have one writer; every process has its own, as it has its own rule state.
        folder = Path(settings.data_dir) / "search" / settings.instance
        return await TantivyIndex.open(folder, runtime.aside)
    try:
        return open_elastic(settings.search_url, instance=settings.instance)
    except ValueError as error:
        raise ValueError(f"KESSAI_SEARCH_URL: {error}") from error


def index_group(settings: Settings) -> str:
    """An index that is shared is kept by all together, files of its own by each process alone."""
    own = settings.search_url in ("tantivy:", IN_MEMORY)
    return f"{INDEX_GROUP}.{settings.instance}" if own else INDEX_GROUP


def read_synonyms(split: Split) -> Synonyms:
    text = resources.files("kessai.search").joinpath("synonyms.txt").read_text(encoding="utf-8")
    return Synonyms.read(text.splitlines(), split)


async def _tried(work: Callable[[], Awaitable[object]]) -> bool:
    try:
        await work()
    except Unknown as unknown:
        _log.debug("index.not_built", code=unknown.code)
        return False
    return True


def _app(
    runtime: Runtime,
    port: SearchService,
    index: ProductIndex,
    supervisor: Supervisor,
    metrics: Metrics,
) -> FastAPI:
    return create_app(
        title=SEARCH.name,
        runtime=runtime,
        routers=routes(port, token=runtime.settings.service_token.get_secret_value()),
        health={"objects": runtime.objects.ping, "index": index.ping},
        metrics=metrics,
        supervisor=supervisor,
        # Base64 in a call, boundaries in a form.
        body_limits={
            _CALL_PATH: MAX_IMAGE_BYTES * 3 // 2,
            IMAGES_PREFIX: MAX_IMAGE_BYTES + 65_536,
        },
    )
