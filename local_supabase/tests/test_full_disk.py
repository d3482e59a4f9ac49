"""A full disk: PostgreSQL crashes, the cause is said, and everything comes back once there is room."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psycopg
import pytest

from local_supabase.child import Options, environment
from local_supabase.errors import DataDirectoryError, StartError
from local_supabase.process import LocalSupabase
from local_supabase.status import LocalSupabaseStatus
from local_supabase.tests.speed import deadline
from local_supabase.tests.tools import new_address, until

pytestmark = [pytest.mark.integration, pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk")]

SIZE_BYTES = 128 * 1024 * 1024


@pytest.fixture
def disk() -> Iterator[Path]:
    """A disk of its own, in memory."""
    with TemporaryDirectory(prefix="local-supabase-", ignore_cleanup_errors=True) as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES},mode=0755", "tmpfs", folder]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this process may not mount a disk")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


@pytest.fixture
def server(disk: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server on the disk, which prints to a file on another."""
    options = Options(data=disk / "data")
    with (
        open(tmp_path / "log", "wb") as log,
        subprocess.Popen(
            options.command(), stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment(options)
        ) as process,
    ):
        yield process
        process.terminate()
        process.wait(deadline(20))


def fill(disk: Path) -> None:
    """Leave no room."""
    with contextlib.suppress(OSError), open(disk / "ballast", "ab", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)


async def sign_up(status: LocalSupabaseStatus) -> int:
    headers = {"apikey": status.anon_key.get_secret_value()}
    async with httpx.AsyncClient(timeout=deadline(10), headers=headers) as http:
        body = {"email": new_address(), "password": "correct horse"}
        answer = await http.post(f"{status.api_url}/auth/v1/signup", json=body)
        assert answer.json(), "an error is JSON, too"
        return answer.status_code


async def test_postgresql_comes_back_when_the_disk_has_room_again(
    server: subprocess.Popen[bytes], disk: Path, tmp_path: Path
) -> None:
    def is_ready() -> bool:
        with contextlib.suppress(DataDirectoryError):
            return bool(LocalSupabaseStatus.read(disk / "data"))
        return False

    await until(is_ready, 30)
    status = LocalSupabaseStatus.read(disk / "data")
    assert await sign_up(status) == 200
    fill(disk)

    def printed() -> str:
        return (tmp_path / "log").read_text()

    async def is_down() -> bool:
        assert server.poll() is None, printed()
        # Fills the write-ahead log only: a full table would be a mere error.
        with contextlib.suppress(psycopg.Error):
            url = status.database_url.get_secret_value()
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as owner:
                await owner.execute("select pg_logical_emit_message(true, 'x', repeat('x', 10000000))")
        return printed().count("postgresql is down, restarting") > 2

    await until(is_down, 20)
    assert "No space left on device" in printed()
    assert str(disk / "data" / "postgres.log") in printed()
    assert await sign_up(status) == 503
    (disk / "ballast").unlink()

    async def is_up() -> bool:
        return await sign_up(status) == 200

    await until(is_up, 30)
    assert server.poll() is None, "the server itself did not have to restart"


async def test_a_start_on_a_full_disk_says_so(disk: Path) -> None:
    fill(disk)
    with pytest.raises(StartError, match="No space left on device"):
        async with LocalSupabase.start(data=disk / "data"):
            pass
