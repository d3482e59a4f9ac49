"""docs/ADDING_AN_ENTITY.md, followed to the letter in a copy of the sources."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from playwright.async_api import Browser, expect

from local_supabase.status import LocalSupabaseStatus
from tests.app_process import ROOT, running
from tests.browser import new_context

pytestmark = pytest.mark.e2e
GUIDE = ROOT / "docs" / "ADDING_AN_ENTITY.md"
BLOCK = re.compile(
    r"^(?:New file `(?P<new>[^`]+)`|In `(?P<old>[^`]+)`, (?P<where>below|above) `(?P<anchor>[^`]+)`):\n\n"
    r"```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


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
    """The sources with the new entity."""
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


async def test_who_follows_the_guide_sees_the_new_entity_live(copy: Path, tmp_path: Path, browser: Browser) -> None:
    await succeeds(copy, "ruff", "check", "--select", "I", "--fix", "--quiet", "components", "pages", "services")
    await succeeds(copy, "ruff", "check", "components", "pages", "services")
    checks = ("tests/services/test_entities.py", "tests/components/test_statuses.py", "-k", "deployment or Deployment")
    await succeeds(copy, "pytest", "-p", "no:xdist", *checks)
    data = tmp_path / "data"
    environment = {"LIVEWATCH_DATA": str(data), "LIVEWATCH_DEMO_SCAN": "0"}
    async with running(environment, root=copy) as app:
        page = await (await new_context(browser, base_url=app.url)).new_page()
        await page.goto("/sign-in")
        await page.get_by_test_id("enter-demo").click()
        await page.goto("/monitoring/deployments")
        await expect(page.get_by_text("Nothing was deployed yet.")).to_be_visible()
        url = LocalSupabaseStatus.read(data).database_url.get_secret_value()
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as database:
            await database.execute(
                "insert into deployments (org_id, name, environment) select id, 'v2', 'production' from organizations"
            )
            name = page.locator('[data-table="deployments"][data-field="name"]')
            await expect(name).to_have_text("v2")
            await database.execute("update deployments set status = 'live'")
            status = page.locator('[data-table="deployments"][data-field="status"]')
            await expect(status).to_have_attribute("data-value", "live")
        await page.goto("/monitoring/deployments?status=queued")
        await expect(name).to_have_count(0)
        answer = await page.request.get("/export/deployments.csv")
        assert "production" in await answer.text()
        await page.context.close()
