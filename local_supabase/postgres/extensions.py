"""Extensions: those of the wheel that a hosted project offers may be created by the migrations' role."""

import os
import re
from pathlib import Path

from local_supabase.postgres.installation import Account, Log

FOLDER = "extensions"
# What a hosted project lets its owner create, of the extensions that can be in a wheel of PostgreSQL.
HOSTED = {
    "autoinc", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dict_int", "dict_xsyn", "earthdistance",
    "fuzzystrmatch", "hstore", "insert_username", "intarray", "isn", "ltree", "moddatetime", "pg_stat_statements",
    "pg_trgm", "pgcrypto", "pgrowlocks", "pgstattuple", "plpgsql", "refint", "seg", "tablefunc", "tcn",
    "tsm_system_rows", "tsm_system_time", "unaccent", "uuid-ossp", "vector",
}  # fmt: skip
_TRUSTED = re.compile(r"^\s*(trusted|directory)\s*=.*$", re.MULTILINE)


def settings_for(programs: Path, data: Path, account: Account | None, log: Log) -> dict[str, str]:
    """Return the server's settings by which a role that is no superuser may create the extensions of the wheel.

    On a hosted project the platform does that. PostgreSQL itself lets the owner of a database create an extension that
    its control file calls trusted, so the data directory gets such control files.

    Args:
        programs: the folder of the programs.
        data: the data directory.
        account: the system user that PostgreSQL runs as, None for the current one.
        log: receives a sentence if the extensions cannot be allowed.
    """
    source = programs.parent / "share" / "postgresql" / "extension"
    folder = data / FOLDER
    if os.pathsep in str(folder) or "'" in str(source):
        log(f"Only the superuser can create extensions: {folder} or {source} has a character that is not allowed.")
        return {}
    target = folder / "extension"
    target.mkdir(mode=0o755, parents=True, exist_ok=True)
    for path in source.glob("*.control"):
        if path.stem in HOSTED:
            control = _TRUSTED.sub("", path.read_text()) + f"\ntrusted = true\ndirectory = '{source}'\n"
            (target / path.name).write_text(control)
    if account:
        for path in (folder, target, *target.iterdir()):
            os.chown(path, account.uid, account.gid)
    return {"extension_control_path": os.pathsep.join([str(folder), "$system"])}
