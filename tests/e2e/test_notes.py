"""Several people type into the notes of a stream at once, in several processes."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from services.people.models import Role
from tests.app_process import AppProcess, project_settings, running
from tests.e2e.conftest import SignedIn
from tests.e2e.notes import editor, notes, open_notes, saved, shows, text, type_at_end
from tests.e2e.test_chat import named
from tests.e2e.test_editing import stream
from tests.world import World

pytestmark = pytest.mark.e2e


async def test_three_people_in_two_processes_type_at_once(
    world: World, browser: Browser, app: AppProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    org = await world.organization("Ours")
    people = [await named(world, org, name) for name in ("Ada", "Ben", "Cleo")]
    id = await stream(world, org)
    async with running(project_settings(world.status, tmp_path_factory.mktemp("second"))) as second:
        urls = (app.url, app.url, second.url)
        pages = [await open_notes(browser, url, person, id) for url, person in zip(urls, people, strict=True)]
        words = ["Ada writes \U0001f680 this.", "Ben writes that.", "Cleo \u05d0\u05d1\u05d2 too."]
        for page in pages:
            await editor(page).click()
        for round in range(max(map(len, words))):
            for page, line in zip(pages, words, strict=True):
                if round < len(line):
                    await page.keyboard.type(line[round])
        for page in pages:
            await saved(page)
        whole = await text(pages[0])
        for page in pages:
            await shows(page, whole)
        assert sorted(whole) == sorted("".join(words))
        await expect(pages[0].locator(".lw-caret bdi", has_text="Cleo")).to_be_visible()
        await expect(pages[2].get_by_test_id("notes-typists")).to_contain_text("Ada")
        for page in pages:
            await page.context.close()


async def test_undo_takes_back_what_one_wrote_oneself(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, ben = await named(world, org, "Ada"), await named(world, org, "Ben")
    id = await stream(world, org)
    mine, other = await window(ada, f"/streams/{id}"), await window(ben, f"/streams/{id}")
    await type_at_end(mine, "mine")
    await shows(other, "mine")
    await type_at_end(other, " theirs")
    await shows(mine, "mine theirs")
    await editor(mine).press("Control+z")
    await shows(mine, " theirs")
    await shows(other, " theirs")
    await editor(mine).press("Control+y")
    await shows(other, "mine theirs")
    await editor(other).press("Control+Home")
    await editor(other).press("Shift+End")
    await expect(mine.locator(".lw-caret-selection")).to_have_text("mine theirs")
    await editor(mine).press("Tab")
    assert not await editor(mine).evaluate("(host) => host.contains(document.activeElement)")


async def test_a_viewer_reads_and_a_demoted_writer_keeps_the_text(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, viewer = await named(world, org, "Ada"), await world.person(org, role=Role.VIEWER)
    id = await stream(world, org)
    mine, reader = await window(ada, f"/streams/{id}"), await window(viewer, f"/streams/{id}")
    await type_at_end(mine, "a plan")
    await expect(notes(reader)).to_contain_text("a plan")
    await expect(reader.locator('.cm-content[contenteditable="true"]')).to_have_count(0)
    await saved(mine)
    # No trigger runs, so that the window is not built anew, as a viewer's, before somebody types.
    await world.sql("alter table org_members disable trigger user")
    try:
        await world.sql("update org_members set role = 'viewer' where user_id = %s", ada.id)
    finally:
        await world.sql("alter table org_members enable trigger user")
    await type_at_end(mine, "B")
    lost = mine.get_by_test_id("notes-lost").filter(has=mine.locator("pre", has_text="B"))
    await expect(lost).to_contain_text("only read these notes")
    await expect(editor(mine)).to_have_text("a plan")
    await mine.reload()
    await expect(lost).to_contain_text("only read these notes")


async def test_the_text_stays_when_the_stream_is_deleted(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada = await named(world, org, "Ada")
    id = await stream(world, org)
    page = await window(ada, f"/streams/{id}")
    await type_at_end(page, "not lost")
    await saved(page)
    await world.sql("delete from streams where id = %s", id)
    await expect(page.get_by_role("heading", name="There is no such stream")).to_be_visible()
    await expect(notes(page)).to_contain_text("The stream was deleted, and its notes with it.")
    await expect(notes(page)).to_contain_text("not lost")
    await expect(notes(page).get_by_role("button", name="Copy the text")).to_be_visible()


async def test_preview_history_restore_and_download(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada = await named(world, org, "Ada")
    id = await stream(world, org)
    page = await window(ada, f"/streams/{id}")
    await type_at_end(page, "# Plan\n\n<b>first</b>")
    await saved(page)
    await notes(page).get_by_role("button", name="Preview").click()
    preview = page.get_by_test_id("notes-preview")
    await expect(preview.get_by_role("heading", name="Plan")).to_be_visible()
    await expect(preview).to_contain_text("<b>first</b>")
    await notes(page).get_by_role("button", name="History").click()
    await notes(page).get_by_role("list", name="Versions").get_by_role("button").first.click()
    await expect(page.get_by_test_id("notes-version")).to_contain_text("first")
    await notes(page).get_by_role("button", name="Write").click()
    await type_at_end(page, " second")
    await saved(page)
    async with page.expect_download() as download:
        await notes(page).get_by_role("button", name="Download .md").click()
    assert (await (await download.value).path()).read_text() == "# Plan\n\n<b>first</b> second"
    await world.sql("update document_snapshots set is_closed = true where document_id = %s", id)
    await notes(page).get_by_role("button", name="History").click()
    versions = notes(page).get_by_role("list", name="Versions").get_by_role("button")
    await expect(versions).to_have_count(2)
    await versions.last.click()
    await notes(page).get_by_role("button", name="Restore this version").click()
    await shows(page, "# Plan\n\n<b>first</b>")
    await saved(page)
    await editor(page).press("Control+z")
    await shows(page, "# Plan\n\n<b>first</b> second")


async def test_the_notes_are_accessible_and_fit_a_small_window(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada = await named(world, org, "Ada")
    id = await stream(world, org)
    page = await window(ada, f"/streams/{id}")
    await type_at_end(page, "word " * 60)
    await saved(page)
    findings = await Axe().run(page)
    assert not [each for each in findings.response["violations"] if each["impact"] in ("serious", "critical")]
    await page.set_viewport_size({"width": 360, "height": 780})
    assert await page.evaluate("document.documentElement.scrollWidth <= 360")
    assert await editor(page).evaluate("(host) => host.getBoundingClientRect().right <= 360")
