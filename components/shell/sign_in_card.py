"""The sign-in card: plain HTML forms, so that browsers can fill them in and a response can set the cookie."""

from nicegui.element import Element

from components.presentation.text import icon, text

# Marks the form on the element itself: Vue knows nothing of it and leaves it alone.
BUSY = "(event) => { event.target.dataset.busy = 'true'; }"


def sign_in_card(
    *, action: str = "/session", target: str = "/", error: str = "", notice: str = "", demo_action: str | None = None
) -> None:
    """Build the whole page: the form posts `email`, `password` and `next`, which is `target`, to `action`.

    `error` is announced as an alert, `notice` quietly. With `demo_action` there is a button that posts there.
    """
    with Element("div").classes("lw-lonely"), Element("div").classes("lw-sign-in"):
        with Element("div").classes("lw-sign-in__brand"):
            with Element("span").classes("lw-brand__mark"):
                icon("activity")
            text("span", "Livewatch")
        with Element("section").classes("lw-panel"):
            text("h1", "Sign in")
            text("p", "Watch your organisation's work live.").classes("lw-muted")
            if notice and not error:
                text("p", notice).classes("lw-note").props("role=status")
            with _form(action, target):
                _field("email", "E-mail", kind="email", autocomplete="username").props("autofocus")
                _field("password", "Password", kind="password", autocomplete="current-password")
                text("p", error).classes("lw-sign-in__error").props("role=alert")
                _submit("Sign in", is_primary=True)
            if demo_action is not None:
                _demo(demo_action)


def _demo(action: str) -> None:
    with Element("div").classes("lw-or"):
        text("span", "or")
    with _form(action, "/monitoring"):
        _submit("Enter the demo").props["data-testid"] = "enter-demo"
        text(
            "p",
            "One click, no password: this button exists only because this server listens on this machine alone.",
        ).classes("lw-muted")


def _form(action: str, target: str) -> Element:
    form = Element("form").props("method=post")
    form.props["action"] = action
    form.on("submit", js_handler=BUSY)
    with form:
        Element("input").props("type=hidden name=next").props["value"] = target
    return form


def _field(name: str, label: str, *, kind: str, autocomplete: str) -> Element:
    with Element("div").classes("lw-field"):
        text("label", label).props["for"] = f"sign-in-{name}"
        field = Element("input").props(
            f"id=sign-in-{name} name={name} type={kind} autocomplete={autocomplete} required"
        )
    return field


def _submit(label: str, *, is_primary: bool = False) -> Element:
    with Element("button").classes("lw-button").props("type=submit") as button:
        if is_primary:
            button.classes("lw-button--primary")
        Element("span").classes("lw-spinner").props("aria-hidden=true")
        text("span", label)
    return button
