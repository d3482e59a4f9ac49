"""Page of an invitation, of plain HTML forms like the sign-in page."""

from collections.abc import Sequence

from nicegui.element import Element

from components.presentation.text import text
from components.shell.sign_in_card import brand, field, form, submit


def invitation_card(
    *,
    title: str,
    sentences: Sequence[str],
    action: str = "",
    token: str = "",
    email: str | None = None,
    sign_in: str = "",
    error: str = "",
    notice: str = "",
    joins: bool = False,
    asks_password: bool = True,
    ways: Sequence[tuple[str, str]] = (),
) -> None:
    """Build the page.

    Args:
        title: Its headline.
        sentences: Paragraphs below it.
        action: Path that the form posts to; no form without one.
        token: The invitation's token, which the form sends back.
        email: Address that the account must have; None for any.
        sign_in: Address of the sign-in page for somebody with an account; empty for no link.
        error: Error message, announced to screen readers as an alert.
        notice: Message without an alert; hidden by an error.
        asks_password: Whether the form asks for a password, or a link by e-mail confirms the address first.
        joins: Whether the form only has a button, for somebody who is signed in.
        ways: Label and address of links that lead on.
    """
    with Element("div").classes("lw-lonely"), Element("div").classes("lw-sign-in"):
        brand()
        with Element("section").classes("lw-panel").props("data-testid=invitation"):
            text("h1", title).props("dir=auto")
            for sentence in sentences:
                text("p", sentence).classes("lw-muted").props("dir=auto")
            if notice and not error:
                text("p", notice).classes("lw-note").props("role=status")
            if action:
                with form(action, {"token": token}):
                    if not joins:
                        _account(email, asks_password=asks_password)
                    text("p", error).classes("lw-sign-in__error").props("role=alert")
                    submit(
                        "Join" if joins else "Create account and join" if asks_password else "Continue",
                        is_primary=True,
                    )
            if sign_in:
                with Element("p"):
                    text("span", "You have an account? ").classes("lw-muted")
                    _link("Sign in and join", sign_in)
            for label, address in ways:
                _link(label, address).classes("lw-button lw-button--link")


def _account(email: str | None, *, asks_password: bool) -> None:
    field("name", "Your name", kind="text", autocomplete="name").props("maxlength=120 autofocus")
    address = field("email", "E-mail", kind="email", autocomplete="username").props("maxlength=320")
    if email is not None:
        address.props("readonly").props["value"] = email
    if asks_password:
        field("password", "Password", kind="password", autocomplete="new-password").props("maxlength=72")


def _link(label: str, address: str) -> Element:
    link = text("a", label)
    link.props["href"] = address
    return link
