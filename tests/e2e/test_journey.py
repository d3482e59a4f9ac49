"""A team comes into a server that other machines reach, from nothing."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.app_process import running
from tests.browser import new_context
from tests.journey import closed, journey, setup_link

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    "closed_by", [{"LIVEWATCH_HOST": "0.0.0.0"}, {"LIVEWATCH_DEMO": "0"}], ids=["for other machines", "without a demo"]
)
async def test_three_people_and_a_server_without_accounts(
    browser: Browser, tmp_path: Path, closed_by: dict[str, str]
) -> None:
    environment = {
        "LIVEWATCH_DATA": str(tmp_path / "data"),
        "LIVEWATCH_HOSTS": "localhost,127.0.0.1",
        "LIVEWATCH_DEMO_SCAN": "false",
        **closed_by,
    }
    async with running(environment) as app:
        ada, grace = await journey(browser, app)
        # The operator is offered what operators may do, and the stranger nothing.
        await expect(grace.get_by_role("button", name="Enter the demo")).to_have_count(0)
        await grace.goto(f"{app.url}/settings/members")
        await expect(grace.get_by_text("Ada Lovelace").first).to_be_visible()
        await expect(grace.get_by_role("button", name="Invite")).to_have_count(0)
        stranger = await (await new_context(browser)).new_page()
        await stranger.goto(f"{app.url}/monitoring")
        await expect(stranger.get_by_role("heading", name="Sign in")).to_be_visible()
        await expect(stranger.get_by_role("button", name="Enter the demo")).to_have_count(0)
        link = setup_link(app.lines)
        assert link
        await stranger.goto(link)
        await expect(stranger.get_by_role("heading", name="This invitation has been used")).to_be_visible()
        await closed(ada, grace, stranger)
    async with running(environment) as again:
        await again.stop()
        assert setup_link(again.lines) is None, "a second start would make another first account"
