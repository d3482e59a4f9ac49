"""The files of a migrations folder."""

import re
from dataclasses import dataclass
from pathlib import Path

from local_supabase.errors import MigrationError

FILE_PATTERN = re.compile(r"^(\d+)_(.*)\.sql$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file `<version>_<name>.sql`."""

    version: str
    name: str
    path: Path


def find(folder: Path) -> list[Migration]:
    """Return the migrations of a folder in the order of their versions.

    Raises:
        MigrationError: the folder does not exist, or holds a misnamed file or the same version twice.
    """
    if not folder.is_dir():
        raise MigrationError(f"The migrations folder {folder} does not exist: choose another with --migrations.")
    found: dict[str, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        if not (match := FILE_PATTERN.match(path.name)):
            raise MigrationError(f"{path} is not named <timestamp>_name.sql: rename it, or move it elsewhere.")
        migration = Migration(version=match[1], name=match[2], path=path)
        if other := found.get(migration.version):
            raise MigrationError(f"{path} and {other.path} have the same timestamp: rename one.")
        found[migration.version] = migration
    return sorted(found.values(), key=lambda migration: (len(migration.version), migration.version))
