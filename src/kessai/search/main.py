"""Wiring of es-service."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from fastapi import FastAPI

from kessai.contracts.search import MAX_IMAGE_BYTES, SearchService
from kessai.contracts.storage import StorageService
from kessai.kernel.app import create_app
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.supervisor import Supervisor
from kessai.search.application.pictures import Pictures
from kessai.search.gateway.raster import PictureRaster
from kessai.search.web import IMAGES_PREFIX, routes
from kessai.topology import SEARCH

_START_S = 5.0
_CALL_PATH = "/internal/calls/import_image"


async def build(runtime: Runtime, *, storage: StorageService) -> Unit[SearchService]:
    """On a local machine the demo goods get their pictures before anybody can look at them.

    A store that is slow or away holds the start up for a moment only: gaps are filled later.
    """
    supervisor = Supervisor(SEARCH.name, stop_timeout_s=runtime.settings.stop_timeout_s)
    raster = PictureRaster(runtime.aside)
    pictures = Pictures(runtime.objects, raster, storage, supervisor)

    async def hang_drawings(tried: asyncio.Event) -> None:
        """Started alone, es-service may be up before storage-service is."""
        while not await pictures.hang_drawings():
            tried.set()
            await asyncio.sleep(runtime.settings.idle_poll_s)
        tried.set()

    async def start() -> None:
        if runtime.settings.env != "local":
            return
        tried = asyncio.Event()
        supervisor.spawn("drawings", hang_drawings(tried))
        with suppress(TimeoutError):
            await asyncio.wait_for(tried.wait(), _START_S)

    return Unit(
        name=SEARCH.name,
        build_app=lambda: _app(runtime, pictures, supervisor),
        port=pictures,
        supervisor=supervisor,
        start=start,
    )


def _app(runtime: Runtime, port: SearchService, supervisor: Supervisor) -> FastAPI:
    return create_app(
        title=SEARCH.name,
        runtime=runtime,
        routers=routes(port, token=runtime.settings.service_token.get_secret_value()),
        health={"objects": runtime.objects.ping},
        supervisor=supervisor,
        # Base64 in a call, boundaries in a form.
        body_limits={
            _CALL_PATH: MAX_IMAGE_BYTES * 3 // 2,
            IMAGES_PREFIX: MAX_IMAGE_BYTES + 65_536,
        },
    )
