"""Search of messages in all of an organisation's threads."""

from nicegui.events import GenericEventArguments

from components.elements.chat.found_messages import FoundMessages
from pages.page.context import PageContext
from services.chat.messages import find


def search_box(page: PageContext) -> None:
    """Build the box, whose results open below it."""
    element = FoundMessages()
    asked = ""

    async def search(event: GenericEventArguments) -> None:
        nonlocal asked
        asked = words = str(event.args)[:200]
        database, identity, org = page.services.database, page.session.identity, page.membership.org_id
        found = await page.get(find(database, identity, org, words))
        # A slow answer to an earlier search must not take the place of a later one.
        if found is not None and asked == words:
            element.show(words, found)

    element.on("search", search, throttle=0.3, leading_events=False)
