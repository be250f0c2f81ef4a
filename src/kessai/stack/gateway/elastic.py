"""Elasticsearch from its archive, with our analysis plugin compiled on this machine."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

from kessai.stack.domain.server import ElasticArchive
from kessai.stack.gateway.commands import run
from kessai.stack.gateway.pins import plugin_sources

_NAME = "kessai-analysis"
_COMPILE_LIMIT_S = 300.0
_DESCRIPTOR = """\
name={name}
description=Analyzers under the names of the official plugins
version={version}
elasticsearch.version={version}
java.version=17
classname=kessai.analysis.AnalysisPluginOfKessai
"""


def plugin_digest() -> str:
    """Another source is another entry of the cache."""
    text = "".join(f"{name}\n{source}" for name, source in plugin_sources().items())
    return hashlib.sha256(text.encode()).hexdigest()[:8]


async def unpack(folder: Path, source: ElasticArchive) -> None:
    libs, home = folder / "libs", folder / source.folder
    _extract(libs / source.archive, folder)
    (libs / source.archive).unlink()
    await _compile(folder, home, libs)
    plugin = home / "plugins" / _NAME
    plugin.mkdir(parents=True)
    _pack(folder / "classes", plugin / f"{_NAME}.jar")
    for jar in sorted(libs.glob("*.jar")):
        shutil.copy(jar, plugin)
    version = source.folder.rpartition("-")[2]
    descriptor = _DESCRIPTOR.format(name=_NAME, version=version)
    (plugin / "plugin-descriptor.properties").write_text(descriptor, "utf-8")


def _extract(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        for entry in content.infolist():
            path = Path(content.extract(entry, folder))
            # What may be executed is not kept by `extract`.
            if (mode := entry.external_attr >> 16) and path.is_file():
                path.chmod(mode & 0o777)


async def _compile(folder: Path, home: Path, libs: Path) -> None:
    sources = folder / "source"
    sources.mkdir()
    for name, text in plugin_sources().items():
        (sources / name).write_text(text, "utf-8")
    await run(
        (
            *("javac", "-nowarn", "-encoding", "UTF-8", "-d", folder / "classes"),
            *("-cp", f"{home / 'lib'}/*:{libs}/*"),
            *sorted(sources.iterdir()),
        ),
        limit_s=_COMPILE_LIMIT_S,
        is_heavy=True,
    )


def _pack(classes: Path, jar: Path) -> None:
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(classes.rglob("*.class")):
            archive.write(file, file.relative_to(classes).as_posix())
