"""Environments of runs: what their programs said that they run in, read on demand, and as labelled facts."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.infra.claims import Claimant
from services.infra.database import Database
from services.text import visible

COMMIT_CHARACTERS = 12
"""Of a commit's id, which are enough to find it."""
LABELS = {
    "host": "Host",
    "user": "User",
    "command": "Command",
    "python": "Python",
    "platform": "Platform",
    "container": "Container",
}
_READ = "select (select content from public.run_environments where run_id = %(run)s)"


async def run_environment(database: Database, claimant: Claimant, run: UUID) -> dict[str, Any] | None:
    """Return what the program of a run said that it runs in; None if it said nothing, or the claimant may not see it.

    Raises:
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    found: dict[str, Any] | None = await database.call(claimant, _READ, {"run": run})
    return found


def environment_facts(content: Mapping[str, Any]) -> dict[str, str]:
    """Return an environment without its packages as texts by label, the known ones first; programs send any JSON."""
    facts = {label: _shown(content.get(name)) for name, label in LABELS.items()}
    git = content.get("git")
    if isinstance(git, Mapping):
        facts["Commit"] = _commit(git)
        facts["Remote"] = _shown(git.get("remote"))
    elif git:
        facts["Commit"] = _shown(git)
    known = {*LABELS, "git", *(("packages",) if isinstance(content.get("packages"), Mapping) else ())}
    for name, value in content.items():
        if name not in known:
            label = visible(name.replace("_", " ").capitalize())
            facts.setdefault(label, _shown(value))
    return {label: value for label, value in facts.items() if value}


def environment_packages(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions of an environment's packages by name, in the order of the names."""
    packages = content.get("packages")
    if not isinstance(packages, Mapping):
        return {}
    return {visible(name): _shown(packages[name]) for name in sorted(packages, key=str.lower)}


def _commit(git: Mapping[str, Any]) -> str:
    commit = _shown(git.get("commit"))[:COMMIT_CHARACTERS]
    if not commit:
        return ""
    branch = _shown(git.get("branch"))
    parts = [f"{commit} on {branch}" if branch else commit]
    if git.get("is_dirty") is True:
        parts.append("with uncommitted changes")
    return ", ".join(parts)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
