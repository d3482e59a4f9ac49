"""Creates the database cluster with `initdb`."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from local_supabase.errors import DataDirectoryError, PostgresError
from local_supabase.postgres.installation import Account
from local_supabase.postgres.postmaster import die_with_parent
from local_supabase.retry import poll

INITDB_TIMEOUT_SECONDS = 120.0


async def create_cluster(
    cluster: Path, *, programs: Path, account: Account | None, superuser: str, password: str
) -> None:
    """Create a cluster; complete or absent, even if this process is killed meanwhile.

    Args:
        cluster: folder to create.
        programs: folder with `initdb`.
        account: system user to run as, None for the current one.
        superuser: name of the database superuser.
        password: password of the database superuser.

    Raises:
        DataDirectoryError: the folder cannot be written.
        PostgresError: `initdb` failed or timed out.
    """
    # A killed initdb leaves an incomplete folder, so it works in another one, which is renamed at the end.
    incomplete = cluster.with_name(f"{cluster.name}.new")
    password_file = cluster.with_name(".initdb-password")
    try:
        if incomplete.exists():
            await asyncio.to_thread(_remove_tree, incomplete)
        incomplete.mkdir(mode=0o700)
        password_file.touch(mode=0o600)
        password_file.write_text(password)
        if account:
            os.chown(incomplete, account.uid, account.gid)
            os.chown(password_file, account.uid, account.gid)
        command = _command(programs / "initdb", incomplete, superuser, password_file)
        code, output = await _run(command, account)
    except TimeoutError as error:
        raise PostgresError(f"initdb timed out after {INITDB_TIMEOUT_SECONDS:.0f} s in {cluster.parent}.") from error
    except OSError as error:
        raise DataDirectoryError(f"The database cannot be created in {cluster.parent} ({error}).") from error
    finally:
        password_file.unlink(missing_ok=True)
    if code != 0:
        lines = output.strip().splitlines() or ["no message"]
        reason = next((line for line in lines if "error:" in line or "FATAL:" in line), "; ".join(lines[-3:]))
        raise PostgresError(f"initdb failed in {cluster.parent}: {reason}")
    incomplete.rename(cluster)


def _command(initdb: Path, folder: Path, superuser: str, password_file: Path) -> list[str]:
    return [
        str(initdb),
        f"--pgdata={folder}",
        f"--username={superuser}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
    ]


async def _run(command: list[str], account: Account | None) -> tuple[int, str]:
    """Return exit code and output; ends the program when this task is cancelled or, on Linux, with this process."""
    options: dict[str, Any] = account.as_process_user() if account else {}
    with TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - PR_SET_PDEATHSIG requires the main thread
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent() if sys.platform == "linux" else None,  # noqa: PLW1509
            **options,
        )
        try:
            await poll(lambda: process.poll() is not None, every=0.01, within=INITDB_TIMEOUT_SECONDS)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        output.seek(0)
        return process.returncode, output.read().decode(errors="replace")


def _remove_tree(path: Path) -> None:
    import shutil  # noqa: PLC0415 - only needed after a crash

    shutil.rmtree(path)
