"""Menu of a list's saved views: choose one, save what is shown, change and delete."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any
from uuid import UUID

from nicegui import ui

from components.presentation.markup import (
    Markup,
    Node,
    button_node,
    icon_button_node,
    icon_node,
    menu_item_node,
    menu_of_button,
    node,
    slot,
)
from components.presentation.text import text
from components.shell.dialogs import confirm, dialog_buttons
from components.views.lists.saved_views import View
from pages.page.context import PageContext
from services.entities import SharedView
from services.entities.saved_views import MAX_NAME
from services.errors import LivewatchError, NotAccepted
from services.lists.saved_views import Listed, change_view, delete_view, save_view
from services.text import visible_name

SAVE = "save"
MINE, OURS = "Only me", "Everybody in the organisation"


class ViewsMenu:
    """A button with the saved views of a list or of boards.

    Args:
        page: The page that is being built.
        listed: What its views are of.
        params: Returns the parameters of what is shown.
        choose: Shows what parameters say.
    """

    def __init__(
        self,
        page: PageContext,
        listed: Listed,
        params: Callable[[], dict[str, str]],
        choose: Callable[[Mapping[str, str]], object],
    ) -> None:
        self._page = page
        self._listed = listed
        self._params = params
        self._choose = choose
        with Markup(_button(listed.plural)):
            self._menu = menu_of_button()
        # Few windows open it: its entries are built when one does.
        self._entries: Markup | None = None
        self._menu.on("before-show", self._build)
        self._around = ui.context.slot
        self.close = page.views.listen(self.show)
        """Stops following the views; called with the list."""

    def show(self) -> None:
        """Show the views as they are now."""
        if self._entries is not None:
            self._entries.show(self._tree())

    def _build(self) -> None:
        if self._entries is None:
            with self._menu:
                self._entries = Markup(self._tree())
            self._entries.on_press(self._press)

    def _tree(self) -> Node:
        shown = self._params()
        entries = [self._entry(view, is_shown=view.query == shown) for view in self._page.views.of(self._listed)]
        save = menu_item_node("bookmark_add", "Save this view …", press=SAVE)
        return node("div", *entries, save, class_="lw-views")

    def _entry(self, view: View, *, is_shown: bool) -> Node:
        name, id = visible_name(view.name), str(view.id)
        facts = {"shared": isinstance(view, SharedView), "default": view.is_default, "pinned": view.is_pinned}
        notes = ", ".join(fact for fact, is_so in facts.items() if is_so)
        choose = node(
            "button",
            icon_node("check" if is_shown else "bookmark"),
            node("span", name, class_="lw-clip", dir="auto"),
            node("span", notes, class_="lw-muted lw-views__notes"),
            class_="lw-menu__item",
            type="button",
            role="menuitem",
            data_press=f"choose:{id}",
            **({"aria_current": "true"} if is_shown else {}),
        )
        if isinstance(view, SharedView) and not self._page.membership.may_write:
            return node("div", choose, class_="lw-views__entry")
        return node(
            "div",
            choose,
            icon_button_node("edit", f"Change {name}", data_press=f"change:{id}"),
            icon_button_node("delete", f"Delete {name}", data_press=f"delete:{id}"),
            class_="lw-views__entry",
        )

    async def _press(self, key: str) -> None:
        self._menu.close()
        action, _, id = key.partition(":")
        view = next((each for each in self._page.views.all() if str(each.id) == id), None)
        with self._around:
            if action == SAVE:
                self._ask(None)
            elif view is None:
                ui.notify("This view was deleted.")
            elif action == "choose":
                self._choose(view.query)
                self.show()
            elif action == "change":
                self._ask(view)
            elif action == "delete" and await confirm(
                f"Delete the view “{visible_name(view.name)}”?",
                "The rows that it shows stay." if not isinstance(view, SharedView) else "It goes for everybody.",
                action="Delete",
            ):
                await self._page.act(delete_view(self._page.services.database, self._page.session.identity, view))

    def _ask(self, view: View | None) -> None:
        """Ask for the name and the rest of a view, and save it."""
        title = "Save this view" if view is None else "Change the view"
        with ui.dialog().props(f'aria-label="{title}"') as dialog, ui.element("div").classes("lw-dialog"):
            text("h2", title)
            name = ui.input("Name", value=view.name if view else "")
            name.props(f"outlined dense autofocus maxlength={MAX_NAME}")
            audience = None
            if view is None and self._page.membership.may_write:
                audience = ui.radio([MINE, OURS], value=MINE).props("dense")
            pinned = ui.checkbox("Pin to the sidebar, with a live count", value=bool(view and view.is_pinned))
            default = ui.checkbox(f"Show it when {self._listed.label} are opened", value=bool(view and view.is_default))
            renewed = None
            if view is not None and view.query != self._params():
                renewed = ui.checkbox("Replace its search and filters by those of the list now", value=False)
            for box in (pinned, default, renewed):
                if box is not None:
                    box.props("dense")

            async def save() -> None:
                chosen: Mapping[str, Any] = {"is_pinned": pinned.value, "is_default": default.value}
                is_shared = bool(audience and audience.value == OURS)
                try:
                    await self._save(view, str(name.value or ""), chosen, is_shared, bool(renewed and renewed.value))
                except NotAccepted as error:
                    name.error = str(error)
                except LivewatchError as error:
                    ui.notify(str(error), type="negative")
                else:
                    dialog.close()

            name.on("keydown.enter", save)
            dialog_buttons(dialog, "Save", save)
        dialog.on("hide", dialog.delete)
        dialog.open()

    async def _save(
        self, view: View | None, name: str, chosen: Mapping[str, Any], is_shared: bool, is_renewed: bool
    ) -> UUID | None:
        database, identity, query = self._page.services.database, self._page.session.identity, self._params()
        if view is not None:
            renewed = {"query": query} if is_renewed else {}
            await change_view(database, identity, view, name=name, **chosen, **renewed)
            return None
        save = partial(save_view, database, identity, self._page.membership.org_id, self._listed)
        return await save(name=name, query=query, is_shared=is_shared, **chosen)


@cache
def _button(plural: str) -> Node:
    return button_node(
        icon_node("bookmarks"),
        slot(),
        class_="lw-icon-button",
        aria_haspopup="menu",
        title="Saved views",
        aria_label=f"Saved views of {plural}",
        data_testid="views",
    )
