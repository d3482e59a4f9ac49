"""Texts and icons in any tag, as text nodes: nothing in them is ever read as markup."""

from nicegui.elements.mixins.text_element import TextElement


def text(tag: str, content: str) -> TextElement:
    """An element that holds a text; set its `text` to change it."""
    return TextElement(tag=tag, text=content)


def icon(name: str) -> TextElement:
    """A Material icon, or "activity", as decoration: readers of the screen pass over it."""
    if name == "activity":
        return text("i", "").classes("lw-icon lw-icon--activity").props("aria-hidden=true")
    return text("i", name).classes("lw-icon notranslate").props("aria-hidden=true")
