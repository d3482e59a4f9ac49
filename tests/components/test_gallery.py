"""The gallery: all components in all states, in both themes, on a wide screen and on a phone."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from services.entities import ENTITIES, ConnectionStatus, NotificationType
from tests.components.conftest import Open

pytestmark = pytest.mark.e2e
PARTS = (".lw-chart__line", ".lw-timeline__bar", ".lw-log__row", ".lw-log__line", ".lw-pace--unreachable")
PNG = b"\x89PNG"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
async def test_the_gallery_shows_everything_and_nothing_sticks_out(
    open_page: Open, tmp_path: Path, theme: str, width: int
) -> None:
    page = await open_page(f"/gallery?theme={theme}", width=width)
    await expect(page.locator(".lw-details")).to_have_count(2)
    await expect(page.locator(".lw-list")).to_have_count(3 + 3 * len(ENTITIES))
    for part in PARTS:
        await expect(page.locator(part).first).to_be_attached()
    for status in ConnectionStatus:
        label = status.style.label
        await expect(page.locator(".lw-chip__status").filter(has_text=label).first).to_be_attached()
    for kind in NotificationType:
        label = kind.style.label
        await expect(page.locator('[data-table="notifications"]').filter(has_text=label).first).to_be_attached()
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    picture = await page.screenshot(full_page=True, path=tmp_path / f"gallery-{theme}-{width}.png")
    assert picture.startswith(PNG)
    assert len(picture) > 100_000, "an empty page would be smaller"
