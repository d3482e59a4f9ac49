"""Artefacts of runs on the page: listed live, shown without script, served to members only."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import httpx
import pytest
from playwright.async_api import Locator, Page, expect

from pages.api.errors import PREFIX
from services.ingest import REPORTING
from services.ingest.administration import create_key
from services.people.models import Role
from tests.app_process import AppProcess
from tests.e2e.conftest import SignedIn
from tests.world import Person, World

pytestmark = pytest.mark.e2e

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


class Program:
    """A program of an organisation, which reports the run of a stream over HTTP."""

    def __init__(self, app: AppProcess, token: str) -> None:
        self._http = httpx.AsyncClient(base_url=f"{app.url}{PREFIX}", headers={"Authorization": f"Bearer {token}"})

    async def begin(self) -> UUID:
        """Report the run; returns the id of its stream."""
        answer = await self._http.put("/streams/training", json={"name": "Training"})
        return UUID(answer.json()["id"])

    async def store(self, name: str, kind: str, content: bytes) -> UUID:
        """Store an artefact; returns its id."""
        query = {"run": "streams/training", "name": name, "kind": kind}
        answer = await self._http.post("/artefacts", params=query, content=content)
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


@asynccontextmanager
async def a_program(world: World, app: AppProcess, admin: Person, org: UUID) -> AsyncIterator[Program]:
    made = await create_key(world.database, admin.identity, org, name="training", scopes=REPORTING)
    program = Program(app, made.token.get_secret_value())
    yield program
    await program.aclose()


def artefact(page: Page, name: str) -> Locator:
    return page.locator(f'[data-artefact="{name}"]')


@pytest.fixture
async def ada(world: World) -> Person:
    return await world.person(await world.organization(), role=Role.ADMIN)


@pytest.fixture
async def program(world: World, app: AppProcess, ada: Person) -> AsyncIterator[Program]:
    [(org,)] = await world.sql("select org_id from org_members where user_id = %s", ada.id)
    async with a_program(world, app, ada, org) as program:
        yield program


@pytest.mark.lasting
async def test_artefacts_appear_and_change_live_each_in_its_form(
    ada: Person, program: Program, window: SignedIn
) -> None:
    stream = await program.begin()
    page = await window(ada, f"/streams/{stream}")
    section = page.get_by_role("region", name="Artefacts")
    await expect(section).to_have_count(0)
    await program.store("plot", "image", PIXEL)
    await expect(section).to_be_visible()
    await expect(page.get_by_test_id("artefact-use")).to_contain_text("of the 5.0 GiB that it may")
    await artefact(page, "plot").get_by_role("img", name="plot").scroll_into_view_if_needed()
    await page.wait_for_function("document.querySelector('[data-artefact=plot] img').naturalWidth === 1")
    await program.store("scores", "table", b'{"columns": ["<b>", "n"], "rows": [["=1+1", null], ["x", 2.5]]}')
    await artefact(page, "scores").get_by_text("Show").click()
    await expect(artefact(page, "scores").get_by_role("columnheader")).to_have_text(["<b>", "n"])
    await expect(artefact(page, "scores").get_by_role("cell")).to_have_text(["=1+1", "", "x", "2.5"])


@pytest.mark.lasting
async def test_of_a_large_table_the_page_shows_a_part_and_says_so(
    ada: Person, program: Program, window: SignedIn
) -> None:
    page = await window(ada, f"/streams/{await program.begin()}")
    wide = {"columns": [f"c{n}" for n in range(90)], "rows": [list(range(90))] * 1_000}
    await program.store("wide", "table", json.dumps(wide).encode())
    await artefact(page, "wide").get_by_text("Show").click()
    await expect(artefact(page, "wide")).to_contain_text("200 of 1,000 rows and 50 of 90 columns")
    await expect(artefact(page, "wide").get_by_role("columnheader")).to_have_count(50)
    await expect(artefact(page, "wide").locator("tbody tr")).to_have_count(200)


@pytest.mark.lasting
async def test_markdown_is_shown_without_html_and_with_links_of_the_web_alone(
    ada: Person, program: Program, window: SignedIn
) -> None:
    page = await window(ada, f"/streams/{await program.begin()}")
    text = (
        b"# Title\n<img src=x onerror=alert(1)> [a](javascript:alert(1)) [b](https://example.org/)\n\n- first\n- second"
    )
    await program.store("notes", "markdown", text)
    notes = artefact(page, "notes")
    await notes.get_by_text("Show").click()
    await expect(notes.get_by_role("heading", name="Title")).to_be_visible()
    await expect(notes).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(notes.get_by_role("listitem")).to_have_text(["first", "second"])
    links = notes.locator(".lw-artefact__text a")
    await expect(links).to_have_count(1)
    await expect(links).to_have_attribute("href", "https://example.org/")
    await program.store("notes", "markdown", b"New text")
    await expect(notes).not_to_contain_text("Title")
    await expect(notes).to_contain_text("New text")


@pytest.mark.lasting
async def test_files_are_served_without_script_and_to_members_alone(
    world: World, ada: Person, program: Program, window: SignedIn
) -> None:
    eve = await world.person(await world.organization())
    stream = await program.begin()
    drawing = await program.store("../../gvs/\N{HEBREW LETTER SHIN}.svg", "file", SVG)
    image = await program.store("plot.png", "image", PIXEL)
    page, other = await window(ada, f"/streams/{stream}"), await window(eve, "/monitoring")
    served = await page.request.get(f"/artefacts/{drawing}?inline=1")
    assert (served.status, await served.body()) == (200, SVG)
    assert served.headers["content-type"] == "application/octet-stream"
    assert served.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert served.headers["x-content-type-options"] == "nosniff"
    disposition = served.headers["content-disposition"]
    assert disposition.startswith("attachment; filename=")
    assert "/" not in disposition
    assert ".." not in disposition
    shown = await page.request.get(f"/artefacts/{image}?inline=1")
    assert (shown.headers["content-type"], shown.headers["content-disposition"][:7]) == ("image/png", "inline;")
    assert (await page.request.get(f"/artefacts/{image}")).headers["content-type"] == "application/octet-stream"
    for address in (drawing, image, uuid4(), "x"):
        assert (await other.request.get(f"/artefacts/{address}")).status == 404
    async with httpx.AsyncClient() as stranger:
        assert (await stranger.get(f"{page.url.partition('/streams')[0]}/artefacts/{image}")).content != PIXEL
