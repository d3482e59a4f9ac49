"""Phones: browsers that show notifications, and get what a push service brings them."""

import json
from typing import Any

from playwright.async_api import BrowserContext, Page, Worker

from tests.world import until

SHOWN = """async () => (await (await navigator.serviceWorker.ready).getNotifications())
    .map(({ title, body, tag, silent, data, actions }) => ({ title, body, tag, silent, data, actions }))"""


async def push(page: Page, **message: Any) -> None:
    """Deliver a push message as the browser does when its push service has one."""
    session = await page.context.new_cdp_session(page)
    registrations: list[dict[str, Any]] = []
    session.on("ServiceWorker.workerRegistrationUpdated", lambda found: registrations.extend(found["registrations"]))
    await session.send("ServiceWorker.enable")
    await until(lambda: registrations, what="the registration is told")
    values = {
        "origin": await page.evaluate("location.origin"),
        "registrationId": registrations[0]["registrationId"],
        "data": message.pop("raw", None) or json.dumps(message),
    }
    await session.send("ServiceWorker.deliverPushMessage", values)
    await session.detach()


async def push_until_shown(page: Page, **message: Any) -> None:
    """Deliver a push message; again if the window, which knows of no such group, took its notification away."""

    async def is_there() -> bool:
        return any(each["title"] == message["title"] for each in await page.evaluate(SHOWN))

    async def is_shown() -> bool:
        await push(page, **message)
        try:
            await until(is_there, within=0.5)
        except AssertionError:
            return False
        return True

    await until(is_shown, within=15, what=f"shown: {message['title']}")


async def shows(page: Page, *titles: str) -> list[dict[str, Any]]:
    """Wait until the device shows notifications with these titles; returns them."""
    found: list[dict[str, Any]] = []

    async def are_shown() -> bool:
        found[:] = await page.evaluate(SHOWN)
        return sorted(each["title"] for each in found) == sorted(titles)

    try:
        await until(are_shown)
    except AssertionError:
        raise AssertionError(f"shown are {[each['title'] for each in found]}, not {list(titles)}") from None
    return found


def worker_of(context: BrowserContext) -> Worker:
    return context.service_workers[0]
