"""Elements with text or an icon; the content is a text node and never parsed as markup."""

from nicegui.elements.mixins.text_element import TextElement


def text(tag: str, content: str) -> TextElement:
    """Build an element with a text; set its `text` to change it."""
    return TextElement(tag=tag, text=content)


def icon(name: str) -> TextElement:
    """Build a decorative icon, a Material icon or "activity", which is hidden from screen readers."""
    if name == "activity":
        return text("i", "").classes("lw-icon lw-icon--activity").props("aria-hidden=true")
    return text("i", name).classes("lw-icon notranslate").props("aria-hidden=true")
