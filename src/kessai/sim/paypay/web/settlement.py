"""A day's files: made on demand, fetched by their link."""

from __future__ import annotations

from datetime import date
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from kessai.contracts.paypay.settlement import LAYOUTS, Layout
from kessai.contracts.wire import Wire
from kessai.kernel.clock import wire
from kessai.kernel.errors import Invalid
from kessai.sim.paypay.application.settlement import Made, Settlement
from kessai.sim.paypay.web.control import same_site

FILES: Final = "/sim/settlement/files"
_TYPE: Final = "text/csv; charset=Shift_JIS"


class FileRow(Wire):
    layout: str
    name: str
    path: str
    rows: int
    expires_at: str


class FilesPage(Wire):
    """The first file at the top, all of the day in `files`."""

    day: date
    path: str
    rows: int
    expires_at: str
    files: tuple[FileRow, ...]


def settlement_routes(settlement: Settlement, *, base_url: str) -> APIRouter:
    router = APIRouter(tags=["simulator"])

    def url_of(made: Made) -> str:
        return f"{base_url}{FILES}/{quote(made.name)}?token={made.token}"

    @router.post("/sim/settlement/{day}", dependencies=[Depends(same_site)])
    async def make(day: date, announce: bool = False, layout: str | None = None) -> FilesPage:
        made = await settlement.make(day, _layout(layout))
        if announce:
            for each in made:
                settlement.announce(each, url_of(each))
        rows = tuple(
            FileRow(
                layout=each.sheet.layout.name,
                name=each.name,
                path=url_of(each),
                rows=each.rows,
                expires_at=wire(each.expires_ms),
            )
            for each in made
        )
        return FilesPage(
            day=day,
            path=rows[0].path,
            rows=rows[0].rows,
            expires_at=rows[0].expires_at,
            files=rows,
        )

    @router.get(FILES + "/{name}")
    async def fetch(name: str, token: str) -> StreamingResponse:
        made = settlement.find(name, token)
        headers = {"Content-Disposition": f'attachment; filename="{made.name}"'}
        return StreamingResponse(settlement.content(made), media_type=_TYPE, headers=headers)

    return router


def _layout(name: str | None) -> Layout | None:
    if name is None:
        return None
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    known = ", ".join(layout.name for layout in LAYOUTS)
    raise Invalid("layout", "UNKNOWN", f"a layout is one of {known}")
