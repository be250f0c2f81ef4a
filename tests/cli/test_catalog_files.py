"""Catalogue files of any length: read piece by piece, known to be good before anything is sent."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.storage import HEADER, a_row

from kessai.cli.catalog_files import CHUNK_ROWS, LONGEST_LINE, FileSource, open_sink, open_source
from kessai.contracts.storage import ListedProduct, Names, SnapshotCategory
from kessai.kernel.errors import Refused
from kessai.storage.domain.catalogue_file import FileLimits

LINE = (
    '{"productId": 7, "title": "碗", "price": 100, "status": "ACTIVE", "createdAt": "2026-01-05"}'
)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def titles(source: FileSource) -> list[str]:
    return [row.title for chunk in source.chunks() for _, row in chunk.good]


def test_a_file_beyond_what_the_service_takes_comes_in_pieces(tmp_path: Path) -> None:
    limits = FileLimits()
    count = limits.max_rows + 1_000
    long = "長" * 200
    rows = (a_row(n, title=long) for n in range(1, count + 1))
    path = write(tmp_path / "all.csv", "\n".join((HEADER, *rows)).encode())
    assert path.stat().st_size > limits.max_bytes
    with open_source(path) as source:
        assert source.rows == count
        chunks = list(source.chunks())
    assert sum(chunk.rows for chunk in chunks) == count
    assert max(chunk.rows for chunk in chunks) == CHUNK_ROWS
    assert chunks[-1].good[-1][0].number == count + 1


def test_long_descriptions_make_short_pieces(tmp_path: Path) -> None:
    rows = (a_row(n).replace("説明", "長" * 4_000) for n in range(1, 601))
    path = write(tmp_path / "long.csv", "\n".join((HEADER, *rows)).encode())
    with open_source(path) as source:
        pieces = [
            sum(len(cell) for raw, _ in c.good for cell in raw.cells) for c in source.chunks()
        ]
    assert len(pieces) == 3
    # Four bytes for each letter at most, and the service takes ten megabytes.
    assert max(pieces) * 4 < FileLimits().max_bytes


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.JSONL", "a.txt", "noname"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_json_lines_are_known_by_name_or_by_their_brace(
    tmp_path: Path, name: str, mark: bytes, end: bytes
) -> None:
    with open_source(write(tmp_path / name, mark + LINE.encode() + end)) as source:
        assert (source.rows, titles(source)) == (1, ["碗"])


def test_a_pipe_is_read_once_only_and_comes_in_too(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = "\n".join((HEADER, a_row(1, title="碗"))).encode()
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    with open_source(pipe) as source:
        assert (source.rows, titles(source), titles(source)) == (1, ["碗"], ["碗"])
    writer.join()


NO_FILES = [
    ("a.csv", b"", "the header lacks productId, title"),
    ("a.csv", f"{HEADER},stok".encode(), "unknown column 'stok'"),
    ("a.csv", f"{HEADER}\n{a_row(1)}".encode() + b"\xff", "the file is not UTF-8 (at byte 133)"),
    ("a.csv", f"{HEADER}\n".encode() + b"x" * (LONGEST_LINE + 1), "a line is longer than 1000000"),
    ("a.jsonl", LINE.encode("shift_jis"), "the file is not UTF-8 (at byte 27)"),
]


@pytest.mark.parametrize(("name", "content", "why"), NO_FILES)
def test_what_is_no_such_file_is_known_before_anything_is_sent(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    with pytest.raises(Refused) as refused, open_source(write(tmp_path / name, content)):
        pass
    assert refused.value.message.startswith(why)


def test_the_place_of_a_wrong_byte_is_told_also_far_into_the_file(tmp_path: Path) -> None:
    # A letter of three bytes lies across the border of two pieces that are read.
    good = HEADER.encode() + b"\n" + ("長" * 400_000).encode()
    path = write(tmp_path / "a.csv", good + b"\x83\x40")
    with pytest.raises(Refused) as refused, open_source(path):
        pass
    assert refused.value.message == f"the file is not UTF-8 (at byte {len(good)})"


def test_an_export_that_fails_leaves_the_last_one(tmp_path: Path) -> None:
    path = write(tmp_path / "kept.csv", b"before")

    def lost_in_between() -> Iterator[ListedProduct]:
        yield a_product(1)
        raise ConnectionError

    with pytest.raises(ConnectionError), open_sink(path) as sink:
        sink.write(lost_in_between())
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_awkward_text_is_read_back_as_it_was(tmp_path: Path, name: str) -> None:
    odd = ['"quoted", with a comma', "=HYPERLINK(1)", "{brace}", "'", "😀 絵文字", "100%\\n"]
    with open_sink(tmp_path / name) as sink:
        sink.write([a_product(n, title=title) for n, title in enumerate(odd, 1)])
    with open_source(tmp_path / name) as source:
        [chunk] = source.chunks()
    assert chunk.bad == []
    assert [row.title for _, row in chunk.good] == odd
    assert [row.description for _, row in chunk.good] == ["一\n二"] * 6


def a_product(product_id: int, title: str = "碗") -> ListedProduct:
    return ListedProduct(
        product_id=product_id,
        version=3,
        title=title,
        titles=Names(en="Bowl"),
        description="一\n二",
        category=SnapshotCategory(id=1, name="器", names=Names(en="Ware")),
        price=100,
        stock=5,
        status="INACTIVE",
        created_at="2026-01-05T00:00:00.123Z",
        image_file="bowl.png",
    )
