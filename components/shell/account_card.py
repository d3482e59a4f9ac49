"""Pages of accounts without the shell: a headline, a form of plain HTML, and links that lead on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nicegui.element import Element

from components.presentation.text import text
from components.shell.sign_in_card import brand, field, form, submit

# Sets the state on the DOM elements, where Vue does not overwrite it.
SHOW = """(event) => {
    const button = event.currentTarget, input = button.parentElement.querySelector("input");
    const shows = input.type === "password";
    input.type = shows ? "text" : "password";
    button.textContent = shows ? "Hide" : "Show";
    button.setAttribute("aria-pressed", String(shows));
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a form; `value` makes it read-only, and a password can be shown."""

    name: str
    label: str
    kind: str
    autocomplete: str
    max_length: int
    value: str = ""


EMAIL = Field(name="email", label="E-mail", kind="email", autocomplete="username", max_length=320)
NAME = Field(name="name", label="Your name", kind="text", autocomplete="name", max_length=120)
NEW_PASSWORD = Field(name="password", label="New password", kind="password", autocomplete="new-password", max_length=72)


def account_card(
    *,
    title: str,
    sentences: Sequence[str],
    action: str = "",
    hidden: Mapping[str, str] | None = None,
    fields: Sequence[Field] = (),
    label: str = "",
    error: str = "",
    ways: Sequence[tuple[str, str]] = (),
) -> None:
    """Build the page.

    Args:
        title: Its headline.
        sentences: Paragraphs below it.
        action: Path that the form posts to; no form without one.
        hidden: Values that the form posts besides its fields.
        fields: What the form asks for.
        label: Text of the form's button.
        error: Error message, announced to screen readers as an alert.
        ways: Label and address of links that lead on.
    """
    with Element("div").classes("lw-lonely"), Element("div").classes("lw-sign-in"):
        brand()
        with Element("section").classes("lw-panel").props("data-testid=account"):
            text("h1", title).props("dir=auto")
            for sentence in sentences:
                text("p", sentence).classes("lw-muted").props("dir=auto")
            if action:
                with form(action, hidden or {}):
                    for number, each in enumerate(fields):
                        _field(each, is_first=number == 0)
                    text("p", error).classes("lw-sign-in__error").props("role=alert")
                    submit(label, is_primary=True)
            elif error:
                text("p", error).classes("lw-sign-in__error").props("role=alert")
            with Element("div").classes("lw-sign-in__ways"):
                for each_label, address in ways:
                    text("a", each_label).props["href"] = address


def _field(each: Field, *, is_first: bool) -> None:
    control = field(each.name, each.label, kind=each.kind, autocomplete=each.autocomplete)
    control.props["maxlength"] = str(each.max_length)
    if each.value:
        control.props("readonly").props["value"] = each.value
    elif is_first:
        control.props("autofocus")
    if each.kind == "password":
        around = control.parent_slot.parent if control.parent_slot else None
        assert around
        with around.classes("lw-field--password"):
            button = text("button", "Show").props('type=button aria-pressed=false aria-label="Show password"')
            button.on("click", js_handler=SHOW)
