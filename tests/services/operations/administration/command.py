"""A command of main.py, run as a process."""

import asyncio
import os
import sys
from collections.abc import Mapping

from tests.app_process import OURS, ROOT
from tests.speed import deadline


async def said(environment: Mapping[str, str], *command: str) -> tuple[int | None, str, str]:
    """Run a command with settings of its own; returns exit code, standard output and standard error."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "main.py",
        *command,
        cwd=ROOT,
        env={**inherited, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), deadline(60))
    return process.returncode, output.decode(), errors.decode()
