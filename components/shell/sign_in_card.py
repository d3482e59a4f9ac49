"""Sign-in card of plain HTML forms, so that browsers can autofill them and a response can set the cookie."""

from collections.abc import Mapping

from nicegui.element import Element

from components.presentation.text import icon, text

# Sets the state on the DOM element, where Vue does not overwrite it.
BUSY = "(event) => { event.target.dataset.busy = 'true'; }"


def sign_in_card(
    *,
    action: str = "/session",
    target: str = "/",
    error: str = "",
    notice: str = "",
    demo_action: str | None = None,
    no_demo: str = "",
    detail: str = "",
    sign_on_label: str = "",
    sign_on_path: str = "",
    link_action: str = "",
    forgot: str = "",
    sign_up: str = "",
) -> None:
    """Build the sign-in page, whose form posts `email`, `password` and `next`.

    Args:
        action: Path that the form posts to.
        target: Value of `next`, the path to open after sign-in.
        error: Error message, announced to screen readers as an alert.
        notice: Message without an alert; hidden by an error.
        demo_action: Path that the demo button posts to; None for no button.
        link_action: Path that the form posts to for a link by e-mail; empty for no such button.
        forgot: Address of the page for a forgotten password; empty for no link.
        sign_up: Address of the page to sign up; empty for no link.
        no_demo: Why there is no demo button; empty to say nothing.
        detail: Words of the Auth server or the provider about the error; empty for none.
        sign_on_label: Text of the button that leads to the sign-in provider; empty for no button.
        sign_on_path: Path that this button opens.
    """
    with Element("div").classes("lw-lonely"), Element("div").classes("lw-sign-in"):
        brand()
        with Element("section").classes("lw-panel"):
            text("h1", "Sign in")
            text("p", "Watch your organisation's work live.").classes("lw-muted")
            if notice and not error:
                text("p", notice).classes("lw-note").props("role=status")
            with form(action, {"next": target}):
                field("email", "E-mail", kind="email", autocomplete="username").props("autofocus")
                field("password", "Password", kind="password", autocomplete="current-password")
                text("p", error).classes("lw-sign-in__error").props("role=alert")
                if error and detail:
                    text("p", f"Details: {detail}").classes("lw-muted lw-sign-in__detail")
                submit("Sign in", is_primary=True)
                if link_action:
                    # The same form, without its password.
                    by_mail = submit("E-mail me a link").props("formnovalidate")
                    by_mail.props["formaction"] = link_action
            with Element("div").classes("lw-sign-in__ways"):
                for label, address in (("Forgot password?", forgot), ("Create an account", sign_up)):
                    if address:
                        text("a", label).props["href"] = address
            if sign_on_label:
                _sign_on(sign_on_label, sign_on_path)
            if demo_action is not None:
                _demo(demo_action)
            elif no_demo:
                text("p", no_demo).classes("lw-muted").props["data-testid"] = "no-demo"


def _sign_on(label: str, path: str) -> None:
    with Element("div").classes("lw-or"):
        text("span", "or")
    # A link: the content security policy lets forms lead to this app only.
    link = text("a", label).classes("lw-button lw-sign-in__sso")
    link.props["href"] = path
    link.props["data-testid"] = "single-sign-on"


def _demo(action: str) -> None:
    with Element("div").classes("lw-or"):
        text("span", "or")
    with form(action, {"next": "/monitoring"}):
        submit("Enter the demo").props["data-testid"] = "enter-demo"
        text(
            "p",
            "One click, no password. This button is available only because the server listens on a loopback address.",
        ).classes("lw-muted")


def brand() -> None:
    """Build the app's mark and name."""
    with Element("div").classes("lw-sign-in__brand"):
        with Element("span").classes("lw-brand__mark"):
            icon("activity")
        text("span", "Livewatch")


def form(action: str, hidden: Mapping[str, str]) -> Element:
    """Build a form that posts `hidden` and its fields, and shows that it is busy once it was sent."""
    built = Element("form").props("method=post")
    built.props["action"] = action
    built.on("submit", js_handler=BUSY)
    with built:
        for name, value in hidden.items():
            Element("input").props(f"type=hidden name={name}").props["value"] = value
    return built


def field(name: str, label: str, *, kind: str, autocomplete: str) -> Element:
    """Build a labelled field, which browsers can fill in."""
    with Element("div").classes("lw-field"):
        text("label", label).props["for"] = f"sign-in-{name}"
        control = Element("input").props(
            f"id=sign-in-{name} name={name} type={kind} autocomplete={autocomplete} required"
        )
    return control


def submit(label: str, *, is_primary: bool = False) -> Element:
    """Build the button that sends the form."""
    with Element("button").classes("lw-button").props("type=submit") as button:
        if is_primary:
            button.classes("lw-button--primary")
        Element("span").classes("lw-spinner").props("aria-hidden=true")
        text("span", label)
    return button
