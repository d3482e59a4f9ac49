"""CPU time of the parts of a measurement: the server, the local Supabase, PostgreSQL and the browsers."""

from collections import defaultdict
from collections.abc import Mapping

import psutil

PARTS = ("server", "local Supabase", "PostgreSQL", "browsers")


def cpu_seconds(server: int) -> dict[str, float]:
    """Return the CPU seconds that each part has used so far; `server` is the process id of the measured server.

    All of them descend from this process. What ends between two calls is not counted.
    """
    seconds: dict[str, float] = defaultdict(float)
    for process in psutil.Process().children(recursive=True):
        try:
            part = _part_of(process, server)
            times = process.cpu_times()
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if part:
            seconds[part] += times.user + times.system
    return seconds


def per_thousand(before: Mapping[str, float], after: Mapping[str, float], changes: int) -> str:
    """Format the CPU seconds that each part used for 1,000 changes."""
    used = {part: (after.get(part, 0.0) - before.get(part, 0.0)) * 1000 / changes for part in PARTS}
    return ", ".join(f"{part} {seconds:.2f}" for part, seconds in used.items())


def _part_of(process: psutil.Process, server: int) -> str | None:
    if process.pid == server:
        return "server"
    name = process.name()
    if "chrom" in name or "headless_shell" in name:
        return "browsers"
    if "postgres" in name:
        return "PostgreSQL"
    return "local Supabase" if "local_supabase" in " ".join(process.cmdline()) else None
