"""Wiring of es-service."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

from kessai.contracts.search import MAX_IMAGE_BYTES, SearchService
from kessai.contracts.storage import StorageService
from kessai.kernel.app import create_app
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.supervisor import Supervisor
from kessai.search.application import Pictures
from kessai.search.gateway import PictureRaster
from kessai.search.web import IMAGES_PREFIX, routes
from kessai.topology import SEARCH

_CALL_PATH = "/internal/calls/import_image"


async def build(runtime: Runtime, *, storage: StorageService) -> Unit[SearchService]:
    """On a local machine the demo goods get their pictures before anybody can look at them."""
    supervisor = Supervisor(SEARCH.name, stop_timeout_s=runtime.settings.stop_timeout_s)
    raster = PictureRaster(runtime.aside)
    pictures = Pictures(runtime.objects, raster, storage, supervisor)

    async def hang_later() -> None:
        """Started alone, es-service may be up before storage-service is."""
        hung = False
        while not hung:
            await asyncio.sleep(runtime.settings.idle_poll_s)
            hung = await pictures.hang_drawings()

    async def start() -> None:
        if runtime.settings.env == "local" and not await pictures.hang_drawings():
            supervisor.spawn("drawings", hang_later())

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
