"""Attention signals: which changes are arrivals, and toasts, title and keys in a browser."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from playwright.async_api import Page, expect

from components.views.attention import MAX_WAITING, AttentionView, present_arrival
from services.entities import AlertStatus, Notification, NotificationType, SignalAlert
from services.realtime import Delta
from services.realtime.rows import Counts
from tests.components.conftest import Open

NOW = datetime.now(UTC)
ORG, USER = uuid4(), uuid4()
TOASTS = ".lw-toasts"


class Alerts:
    """Fake subscription whose rows a test sets; notifies the view of each change."""

    def __init__(self, *there: SignalAlert) -> None:
        self._rows = {row.id: row for row in there}
        self.deleted: set[UUID] = set()
        self.view = AttentionView({"signal_alerts": self}, now=NOW)  # type: ignore[dict-item]
        self._tell = self.view.listener("signal_alerts", lambda _: None)
        self._tell([Delta(id=row.id, old=None, new=row) for row in there])
        self.view.begin("signal_alerts")

    is_counted = True
    is_cut = False

    def is_absent(self, id: UUID) -> bool:
        return id in self.deleted

    def rows(self) -> list[SignalAlert]:
        return list(self._rows.values())

    def count(self, where: Callable[[SignalAlert], bool]) -> Counts:
        return Counts(sum(where(row) for row in self.rows()), len(self._rows), is_exact=True)

    def get(self, id: UUID) -> SignalAlert | None:
        return self._rows.get(id)

    def put(self, *rows: SignalAlert) -> None:
        deltas = [Delta(id=row.id, old=self._rows.get(row.id), new=row) for row in rows]
        self._rows |= {row.id: row for row in rows}
        self._tell(deltas)

    def drop(self, row: SignalAlert) -> None:
        del self._rows[row.id]
        self._tell([Delta(id=row.id, old=row, new=None)])


def alert(strength: int = 95, *, read: bool = False, created_at: datetime = NOW) -> SignalAlert:
    return SignalAlert.model_validate(
        {
            "id": uuid4(),
            "org_id": ORG,
            "user_id": USER,
            "target_name": "requests",
            "signal_type": "no_licence",
            "signal_strength": strength,
            "read_at": NOW if read else None,
            "created_at": created_at,
        }
    )


def arrived(batch: Any) -> list[str]:
    return [row["id"] for row in (batch or {}).get("set", {}).get("arrived", {}).get("rows", [])]


def test_what_was_there_at_the_beginning_counts_and_does_not_arrive() -> None:
    alerts = Alerts(alert(), alert(read=True))
    first = alerts.view.full()
    assert first == {"set": {"unread": {"signal_alerts": 1}}}


def test_a_row_arrives_once_whatever_the_connection_does() -> None:
    alerts = Alerts()
    new = alert()
    alerts.put(new)
    assert arrived(alerts.view.full()) == [str(new.id)]
    assert arrived(alerts.view.full()) == [], "a window that comes back is told no second time"
    alerts.put(alert(read=True), new)
    alerts.drop(new)
    alerts.put(new)
    assert arrived(alerts.view.patch(())) == []


def test_what_came_while_the_window_was_away_arrives_when_it_is_back() -> None:
    alerts = Alerts(alert())
    alerts.view.full()
    missed = [alert(), alert()]
    alerts.put(*missed)
    assert arrived(alerts.view.full()) == [str(row.id) for row in missed]


def test_what_is_read_before_it_was_told_does_not_arrive_and_what_is_read_after_is_withdrawn() -> None:
    alerts = Alerts()
    first, second = alert(), alert()
    alerts.put(first, second)
    alerts.put(first.model_copy(update={"read_at": NOW}))
    assert arrived(alerts.view.full()) == [str(second.id)]
    alerts.drop(second)
    batch = alerts.view.patch({second.id})
    assert batch == {"set": {"unread": {"signal_alerts": 0}, "read": {"ids": [str(second.id)]}}}


def test_an_alert_that_was_acted_upon_elsewhere_asks_no_more() -> None:
    alerts = Alerts()
    new = alert()
    alerts.put(new)
    alerts.view.full()
    alerts.put(new.model_copy(update={"status": AlertStatus.DISMISSED}))
    batch = alerts.view.patch({new.id})
    assert batch == {"set": {"unread": {"signal_alerts": 0}, "read": {"ids": [str(new.id)]}}}


def test_an_old_row_that_a_full_feed_had_no_room_for_does_not_arrive() -> None:
    alerts = Alerts()
    alerts.put(alert(created_at=NOW - timedelta(days=3)))
    assert arrived(alerts.view.full()) == []


def test_what_a_full_feed_has_no_room_for_any_more_stays_told_until_it_is_read_or_deleted() -> None:
    alerts = Alerts()
    first, second, third = alert(), alert(), alert()
    alerts.put(first, second, third)
    alerts.is_cut = True
    alerts.drop(first)
    assert arrived(alerts.view.full()) == [str(row.id) for row in (first, second, third)], "as unread as before"
    alerts.drop(second)
    assert "read" not in (alerts.view.patch(()) or {"set": {}})["set"]
    alerts.put(first.model_copy(update={"read_at": NOW}))
    alerts.deleted.add(third.id)
    alerts.drop(third)
    withdrawn: Any = alerts.view.patch(())
    assert set(withdrawn["set"]["read"]["ids"]) == {str(first.id), str(third.id)}


def test_of_a_flood_the_latest_are_told_whole_and_all_are_counted_and_withdrawn() -> None:
    alerts = Alerts()
    rows = [alert() for _ in range(MAX_WAITING + 50)]
    alerts.put(*rows)
    batch: Any = alerts.view.full()
    assert arrived(batch) == [str(row.id) for row in rows]
    assert ["title" in row for row in batch["set"]["arrived"]["rows"]] == [False] * 50 + [True] * MAX_WAITING
    assert batch["set"]["unread"] == {"signal_alerts": MAX_WAITING + 50}
    alerts.drop(rows[0])
    assert alerts.view.patch(())["set"]["read"] == {"ids": [str(rows[0].id)]}  # type: ignore[index]


@pytest.mark.parametrize(
    ("address", "href"), [("/streams/1", "/streams/1"), ("javascript:alert(1)", "/notifications?selected={id}")]
)
def test_a_toast_leads_to_its_source_and_to_nothing_but_pages(address: str, href: str) -> None:
    note = Notification(org_id=ORG, user_id=USER, type=NotificationType.ERROR, title="Failed", action_url=address)
    shown = present_arrival(note)
    href = href.format(id=note.id)
    assert (shown["href"], shown["rank"], shown["level"]) == (href, 3, "error")


def test_an_alert_leads_to_its_stream_or_to_its_details() -> None:
    stream, other = uuid4(), alert()
    assert present_arrival(alert().model_copy(update={"stream_id": stream}))["href"] == f"/streams/{stream}"
    assert present_arrival(other)["href"] == f"/alerts?selected={other.id}"


# In a browser


def rows(table: str, *ranks: int, level: str = "low") -> dict[str, Any]:
    levels = {
        "signal_alerts": ["low", "medium", "high", "urgent"],
        "notifications": ["info", "success", "warning", "error"],
    }
    return {
        "rows": [
            {"id": f"{table}-{n}-{rank}", "table": table, "rank": rank, "level": levels[table][rank]}
            | {"title": f"{table} {n}", "message": "why", "href": "/alerts"}
            for n, rank in enumerate(ranks)
        ]
    }


async def apply(page: Page, **set: Any) -> None:
    await page.wait_for_selector(TOASTS, state="attached")
    await page.evaluate("([at, set]) => getElement(document.querySelector(at)).apply({ set })", [TOASTS, set])


@pytest.mark.e2e
async def test_many_at_once_become_one_toast_and_there_are_never_more_than_three(open_page: Open) -> None:
    page = await open_page("/list/streams", moving=True)
    toasts = page.get_by_test_id("toast")
    await apply(page, arrived=rows("signal_alerts", 0, 2, 1, 3, 0, 0, 0))
    await expect(toasts).to_have_count(1)
    await expect(toasts).to_contain_text("7 new alerts")
    await expect(toasts).to_contain_text("Up to urgent")
    await expect(toasts).to_have_attribute("data-tone", "critical")
    await expect(page.get_by_role("alert").filter(has_text="7 new")).to_be_attached()
    await expect(toasts.get_by_role("link")).to_have_attribute("href", "/alerts?show=unread")

    await apply(page, arrived=rows("notifications", 0, 1))
    await expect(toasts).to_have_count(3)
    await apply(page, arrived=rows("notifications", 2))
    await expect(toasts).to_have_count(2)
    await expect(toasts.nth(1)).to_contain_text("3 new notifications")
    await apply(page, read={"ids": [f"signal_alerts-{n}-{rank}" for n, rank in enumerate((0, 2, 1, 3, 0, 0))]})
    await expect(toasts.first).to_have_attribute("data-count", "1")
    await toasts.first.get_by_role("button", name="Dismiss").click()
    await expect(toasts).to_have_count(1)


@pytest.mark.e2e
async def test_a_toast_goes_by_itself_unless_it_is_held_or_urgent(open_page: Open) -> None:
    page = await open_page("/list/streams", moving=True)
    await page.clock.install()
    toasts = page.get_by_test_id("toast")
    await apply(page, arrived=rows("signal_alerts", 1, 3))
    await page.clock.run_for(1000)
    await expect(toasts).to_have_count(2)
    await toasts.first.hover()
    await page.clock.run_for(20_000)
    await expect(toasts).to_have_count(2)
    await page.mouse.move(5, 5)
    await page.clock.run_for(9000)
    await expect(toasts).to_have_count(1)
    await expect(toasts).to_contain_text("Urgent")


@pytest.mark.e2e
async def test_the_tab_tells_how_much_is_unread_by_title_and_icon(open_page: Open) -> None:
    page = await open_page("/")
    icon = page.locator('link[rel~="icon"]')
    plain = await icon.get_attribute("href")
    await apply(page, unread={"signal_alerts": 2, "notifications": 1})
    await expect(page).to_have_title("(3) Dashboard · Livewatch")
    await page.wait_for_function("document.querySelector('link[rel~=icon]').href.startsWith('data:image/png')")
    await apply(page, unread={"signal_alerts": 2000})
    await expect(page).to_have_title("(2,001) Dashboard · Livewatch")
    await apply(page, unread={"messages": 5})
    await expect(page).to_have_title("(2,001) Dashboard · Livewatch")
    await apply(page, unread={"signal_alerts": 0, "notifications": 0})
    await expect(page).to_have_title("• Dashboard · Livewatch")
    await page.wait_for_function("document.querySelector('link[rel~=icon]').href.startsWith('data:image/png')")
    await apply(page, unread={"messages": 0})
    await expect(page).to_have_title("Dashboard · Livewatch")
    assert plain
    await page.wait_for_function("plain => document.querySelector('link[rel~=icon]').href.endsWith(plain)", arg=plain)


@pytest.mark.e2e
async def test_who_wants_no_motion_gets_none(open_page: Open) -> None:
    page = await open_page("/")
    await apply(page, arrived=rows("signal_alerts", 1))
    await page.get_by_test_id("toast").wait_for()
    await expect(page.locator("[role=listitem] .lw-dot--pulse").first).to_be_visible()  # something would pulse
    moving = """() => document.getAnimations().filter((each) => each.playState === 'running'
        && each.effect.getComputedTiming().duration > 10).map((each) => each.animationName)"""
    assert await page.evaluate(moving) == []


@pytest.mark.e2e
async def test_every_control_shows_that_it_has_the_focus(open_page: Open) -> None:
    page = await open_page("/list/signal_alerts")
    await page.get_by_role("button", name="Account").wait_for()
    seen = set()
    for _ in range(14):
        await page.keyboard.press("Tab")
        name, is_shown = await page.evaluate("""() => {
            const here = document.activeElement;
            const looks = [getComputedStyle(here), getComputedStyle(here, "::after")];
            const shown = looks.some((look) => look.outlineStyle === "solid" && parseFloat(look.outlineWidth) >= 2);
            return [here.ariaLabel ?? here.title ?? here.textContent, shown || here === document.body];
        }""")
        assert is_shown, name
        seen.add(name)
    assert len(seen) > 8
