"""Schema changes of every service: Alembic in process, one version table for each package."""

from __future__ import annotations

from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from kessai.kernel.db import Db
from kessai.kernel.errors import KessaiError


class SchemaTooNew(KessaiError):
    """The database was written by a newer version of this program: start that one."""


def newest(package: str) -> frozenset[str]:
    """The schema versions that this program brings `kessai.<package>` to."""
    return frozenset(ScriptDirectory.from_config(_config(_folder(package))).get_heads())


def version_table(package: str) -> str:
    return f"alembic_version_{package.replace('.', '_')}"


def migrate(db: Db, package: str) -> None:
    """Brings the schema of `kessai.<package>` to its newest version, all or nothing.

    Reads `kessai/<package>/migrations/versions`; does nothing when it is up to date. Raises
    `SchemaTooNew` when the database has a version that is not there.
    """
    name = package.replace(".", "_")
    db.migrate(lambda connection: _upgrade(_folder(package), name, connection))


def migrate_from(db: Db, versions: str, *, name: str) -> None:
    """The same for a folder of versions; the version table is `alembic_version_<name>`."""
    db.migrate(lambda connection: _upgrade(versions, name, connection))


def _folder(package: str) -> str:
    parts = package.split(".")
    return str(resources.files("kessai").joinpath(*parts, "migrations", "versions"))


def _config(versions: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("kessai.kernel") / "alembic"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", versions.replace("%", "%%"))
    return config


def _upgrade(versions: str, name: str, connection: Connection) -> None:
    config = _config(versions)
    config.attributes["version_table"] = version_table(name)
    script = ScriptDirectory.from_config(config)
    # The first statement begins SQLAlchemy's own transaction, which the database layer never
    # ends: Alembic takes it for an outer one and leaves BEGIN and COMMIT alone.
    found = _versions(connection, config.attributes["version_table"])
    if found == set(script.get_heads()):
        return
    known = {revision.revision for revision in script.walk_revisions()}
    if unknown := sorted(found - known):
        raise SchemaTooNew(
            f"the database is at schema version {', '.join(unknown)}, "
            "which this program does not know: start the newer one that wrote it"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "heads")


def _versions(connection: Connection, version_table: str) -> set[str]:
    context = MigrationContext.configure(connection, opts={"version_table": version_table})
    return set(context.get_current_heads())
