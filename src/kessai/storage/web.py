"""What comes in: calls of other services, catalogue files, and the beat of the announcements."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, File, Form, Request, UploadFile

from kessai.contracts.storage import ImportCatalogue, Imported, StorageService
from kessai.kernel.calls import mount
from kessai.kernel.errors import Kind, Refused

IMPORT_PATH = "/internal/products/import"


def routes(storage: StorageService, *, token: str) -> list[APIRouter]:
    return [mount(StorageService, storage, token=token), _import_route(storage, token)]


def _import_route(storage: StorageService, token: str) -> APIRouter:
    router = APIRouter(tags=["catalogue"])
    expected = f"Bearer {token}".encode()

    @router.post(IMPORT_PATH, response_model=Imported)
    async def import_catalogue(
        request: Request, file: UploadFile = File(), dryRun: bool = Form(False)
    ) -> Imported:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            raise Refused("FORBIDDEN", "a service token is required", kind=Kind.FORBIDDEN)
        command = ImportCatalogue(csv=await file.read(), dry_run=dryRun)
        return await storage.import_catalogue(command)

    return router


def keep_doing(
    round_: Callable[[], Awaitable[int]],
    *,
    every_s: float,
    breath_s: Callable[[], float] = lambda: 0.0,
) -> Callable[[], Awaitable[None]]:
    """A loop for the Supervisor; a round that found work is followed by the next after a breath."""

    async def loop() -> None:
        while True:
            found = await round_()
            await asyncio.sleep(breath_s() if found else every_s)

    return loop
