"""docs/ADDING_AN_ENTITY.md, followed literally in a copy of the sources."""

import asyncio
import csv
import io
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from pydantic import SecretStr

from local_supabase.process import LocalSupabase
from local_supabase.status import LocalSupabaseStatus
from services.auth.client import Auth
from services.infra.backend import APP_ROLE
from services.infra.database import Database
from services.people.models import Role
from tests.app_process import ROOT, AppProcess, project_settings, running
from tests.browser import new_context
from tests.e2e.conftest import enter, live
from tests.world import Person, World

pytestmark = pytest.mark.e2e
GUIDE = ROOT / "docs" / "ADDING_AN_ENTITY.md"
BLOCK = re.compile(
    r"^(?:New file `(?P<new>[^`]+)`|In `(?P<old>[^`]+)`, (?P<where>below|above) `(?P<anchor>[^`]+)`):\n\n"
    r"```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PATH = "/monitoring/deployments"


@dataclass(frozen=True)
class Step:
    """One block of the guide."""

    path: str
    text: str
    where: str | None
    anchor: str | None

    def follow(self, root: Path) -> None:
        path = root / self.path
        if self.anchor is None:
            assert not path.exists(), f"{self.path} is there already"
            path.write_text(self.text)
            return
        lines = path.read_text().splitlines(keepends=True)
        places = [number for number, line in enumerate(lines) if line.rstrip("\n") == self.anchor]
        assert places, f"{self.path} has no line {self.anchor!r}"
        place = places[0] + (self.where == "below")
        path.write_text("".join([*lines[:place], self.text, *lines[place:]]))


def steps() -> Iterator[Step]:
    text = GUIDE.read_text()
    found = list(BLOCK.finditer(text))
    assert len(found) == text.count("\n```\n") == len(re.findall(r"^```\w", text, re.MULTILINE))
    for each in found:
        yield Step(each["new"] or each["old"], each["text"], each["where"], each["anchor"])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Yield a copy of the sources with the new entity."""
    root = tmp_path / "copy"
    skip = shutil.ignore_patterns("__pycache__", ".*", "docs", "benchmarks")
    shutil.copytree(ROOT, root, ignore=skip)
    for step in steps():
        step.follow(root)
    return root


async def succeeds(root: Path, *command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


@pytest.fixture
async def copied_world(copy: Path, tmp_path: Path) -> AsyncIterator[World]:
    """Yield a world whose database has the copy's migrations."""
    data = tmp_path / "data"
    async with (
        LocalSupabase.start(data=data, migrations=copy / "supabase" / "migrations", app_role=APP_ROLE) as local,
        Auth(url=local.status.api_url, key=local.status.anon_key) as auth,
        Database(SecretStr(app_url(local.status))) as database,
        World(data, local, auth, database) as world,
    ):
        yield world


def app_url(status: LocalSupabaseStatus) -> str:
    assert status.app_database_url
    return status.app_database_url.get_secret_value()


async def test_the_new_entity_passes_the_tests_that_every_entity_has(copy: Path) -> None:
    await succeeds(copy, "ruff", "check", "services/entities")
    await succeeds(copy, "ruff", "format", "--check", "services/entities")
    checks = (
        "tests/services/entities/test_entities.py",
        "tests/components/presentation/test_statuses.py",
        "tests/components/elements/test_live_list.py",
    )
    await succeeds(copy, "pytest", "-p", "no:xdist", *checks, "-k", "deployment or Deployment")


async def test_who_follows_the_guide_sees_the_new_entity_live(
    copied_world: World, copy: Path, tmp_path: Path, browser: Browser
) -> None:
    ours, theirs = await copied_world.organization(), await copied_world.organization()
    ada, eve = await copied_world.person(ours), await copied_world.person(theirs, role=Role.ADMIN)
    async with running(project_settings(copied_world.status, tmp_path / "app"), root=copy) as app:
        page, other = await window(browser, app, ada), await window(browser, app, eve)
        empty = "No deployments yet."
        await expect(page.get_by_text(empty)).to_be_visible()
        await expect(other.get_by_text(empty)).to_be_visible()
        ((id,),) = await copied_world.sql(
            "insert into deployments (org_id, name, environment) values (%s, 'v2', 'production') returning id", ours
        )
        await expect(live(page, "deployments", id, "title")).to_have_text("v2")
        await copied_world.sql("update deployments set status = 'live' where id = %s", id)
        status = live(page, "deployments", id, "status")
        await expect(status).to_have_attribute("data-value", "live")
        await expect(status).to_have_text("Live")

        await page.get_by_role("button", name="Queued").click()
        await expect(page).to_have_url(re.compile(r"status=queued"))
        await expect(live(page, "deployments", id, "title")).to_have_count(0)
        await page.get_by_role("button", name="Queued").click()
        await expect(live(page, "deployments", id, "title")).to_be_visible()

        await page.goto(f"{PATH}?selected={id}")
        details = page.get_by_role("complementary", name="Details of the deployment")
        await expect(details.get_by_role("heading", name="v2")).to_be_visible()
        await expect(details.get_by_text("production")).to_be_visible()
        await copied_world.sql("update deployments set environment = 'staging' where id = %s", id)
        await expect(details.get_by_text("staging")).to_be_visible()

        answer = await page.request.get("/export/deployments.csv?status=live")
        header, row = csv.reader(io.StringIO((await answer.text()).removeprefix("\ufeff")))
        assert dict(zip(header, row, strict=True)).items() >= {"name": "v2", "environment": "staging"}.items()

        # The other organisation sees its own row, and never ours, in the list, the details and the file.
        ((own,),) = await copied_world.sql(
            "insert into deployments (org_id, name, environment) values (%s, 'v9', 'production') returning id", theirs
        )
        await expect(live(other, "deployments", own, "title")).to_have_text("v9")
        await expect(other.locator('[data-table="deployments"][data-field="title"]')).to_have_count(1)
        exported = await (await other.request.get("/export/deployments.csv")).text()
        assert ("v9" in exported, "v2" in exported) == (True, False)
        await other.goto(f"{PATH}?selected={id}")
        await expect(other.get_by_role("heading", name="There is no such deployment")).to_be_visible()
        for each in (page, other):
            await each.context.close()


async def window(browser: Browser, app: AppProcess, person: Person) -> Page:
    """Open a signed-in browser window at the list of deployments."""
    context = await new_context(browser, base_url=app.url)
    await enter(context, person)
    page = await context.new_page()
    await page.goto(PATH)
    await page.wait_for_selector('body[data-live="connected"]')
    return page
