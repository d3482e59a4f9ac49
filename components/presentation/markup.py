"""Markup: a tree of tags, attributes and texts as one element, where each tag of its own would take 2 KB a window."""

from collections.abc import Callable, Mapping
from functools import cache
from html import escape

from nicegui import ui
from nicegui.element import Element

Node = str | tuple[str, Mapping[str, str], tuple["Node", ...]]
"""A text, or a tag with its attributes and what is in it. Windows may share it, so that it must not be changed."""


class Markup(Element, component="markup.js"):
    """A tree whose tags are no elements of their own; texts and attributes are escaped.

    Elements built in a slot of this one stand in place of the tree's `slot` of that name. Emits `press` with the value
    of the attribute `data-press` that was clicked.

    Args:
        tree: The tree; its root is this element.
        current: Path whose links are marked as the current page.
    """

    def __init__(self, tree: Node, *, current: str = "") -> None:
        super().__init__()
        self.show(tree)
        self.props["current"] = current

    def show(self, tree: Node) -> None:
        """Show another tree."""
        self.props["tree"] = tree

    def set_current(self, current: str) -> None:
        """Mark the links to another path."""
        if self.props["current"] != current:
            with self.props.suspend_updates():
                self.props["current"] = current
            self.run_method("setCurrent", current)

    def on_press(self, handler: Callable[[str], object], *, js_handler: str = "(key) => emit(key)") -> None:
        """Call `handler` with the `data-press` that was clicked; JavaScript may `emit` it, or do something else."""
        self.on("press", lambda event: handler(str(event.args)), js_handler=js_handler)

    def html(self, link: Callable[[str], str], slot: Callable[[str], str]) -> str:
        """Return the tree as HTML, with links by `link` and the content of slots by `slot`."""
        return _html(self.props["tree"], str(self.props["current"]), link, slot)


def node(tag: str, *children: Node, **attributes: str) -> Node:
    """Return a tag for a tree; `class_` is the class, and other underscores in names of attributes are hyphens."""
    return tag, {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}, children


def slot(name: str = "default") -> Node:
    """Return the place of a slot for a tree."""
    return node("slot", name=name)


@cache
def icon_node(name: str) -> Node:
    """Return a decorative icon for a tree, see `components.presentation.text.icon`."""
    if name == "activity":
        return node("i", class_="lw-icon lw-icon--activity", aria_hidden="true")
    return node("i", name, class_="lw-icon notranslate", aria_hidden="true")


def button_node(*children: Node, **attributes: str) -> Node:
    """Return a button for a tree, which submits no form."""
    return node("button", *children, type="button", **attributes)


@cache
def icon_button_node(icon: str, label: str, **attributes: str) -> Node:
    """Return a button with an icon for a tree; the label is its title, too."""
    classes = " ".join(("lw-icon-button", *attributes.pop("class_", "").split()))
    return button_node(icon_node(icon), class_=classes, aria_label=label, title=label, **attributes)


def menu_item_node(icon: str, label: str, *, press: str) -> Node:
    """Return an entry of a menu for a tree; `press` is its `data-press`."""
    return button_node(icon_node(icon), node("span", label), class_="lw-menu__item", data_press=press)


def menu_of_button() -> ui.menu:
    """Build a menu that opens below the button that it is built in."""
    return ui.menu().props('anchor="bottom right" self="top right" :offset="[0, 6]"').classes("lw-menu")


def _html(tree: Node, current: str, link: Callable[[str], str], slot: Callable[[str], str]) -> str:
    if isinstance(tree, str):
        return escape(tree)
    tag, attributes, children = tree
    if tag == "slot":
        return slot(attributes["name"])
    given = dict(attributes)
    if href := given.get("href"):
        given["href"] = link(href)
        if href == current:
            given["aria-current"] = "page"
    start = "".join(f' {name}="{escape(value)}"' for name, value in given.items())
    return f"<{tag}{start}>{''.join(_html(child, current, link, slot) for child in children)}</{tag}>"
