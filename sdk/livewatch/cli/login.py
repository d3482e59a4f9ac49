"""`livewatch login`: generates an ingest key here, has a person allow it in the browser, and stores it.

The key never passes through the browser or the terminal: the address carries its SHA-256, and the code that the person
compares is derived from that.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import ipaddress
import os
import platform
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, urlsplit

from livewatch.cli.browser import open_page
from livewatch.cli.exit_codes import ExitCode
from livewatch.cli.key_check import is_unknown_key, organization_of, problem_with
from livewatch.config_file import CONFIG_VARIABLE, ConfigFileError, Login, config_path, write_login
from livewatch.delivery.client import Client, Response, UnreachableError
from livewatch.settings import VARIABLES, IngestKey, Settings, SettingsError, app_root

POLL_SECONDS = 2.0
LOGIN_TIMEOUT_SECONDS = 600.0
# As the database limits it.
MAX_NAME_CHARACTERS = 120


class Asker(Protocol):
    """What asks the server whose key it is; see `Client`."""

    def request(self, method: str, path: str) -> Response:
        """Send a request; raises UnreachableError."""


@dataclass(frozen=True)
class KeyRequest:
    """A key that nobody has allowed yet.

    Args:
        url: Root of the app.
        name: Name that the key is to have.
        public_id: The part of the key that is no secret.
        secret: The part that only this machine knows.
    """

    url: str
    name: str
    public_id: str
    secret: str = field(repr=False)

    @classmethod
    def create(cls, url: str, name: str) -> KeyRequest:
        """Generate a key, of 256 random bits."""
        return cls(url, name, secrets.token_hex(6), secrets.token_urlsafe(32))

    @property
    def token(self) -> str:
        """The key."""
        return f"lw_{self.public_id}_{self.secret}"

    @property
    def secret_hash(self) -> str:
        """SHA-256 of the secret, in 64 hex digits."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    @property
    def code(self) -> str:
        """Eight characters that the page shows, too."""
        characters = base64.b32encode(bytes.fromhex(self.secret_hash)).decode()
        return f"{characters[:4]}-{characters[4:8]}"

    @property
    def address(self) -> str:
        """Page on which an admin allows the key."""
        # An argument of the command line need not be UTF-8.
        name = quote(self.name, safe="", errors="replace")
        return f"{self.url}/connect/allow?id={self.public_id}&hash={self.secret_hash}&name={name}"


class LoginError(Exception):
    """The login failed; the message says why, and `exit_code` is that of the command."""

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def login(url: str, name: str | None, *, opens_browser: bool, shows_qr_code: bool = False) -> int:
    """Log in to the app at `url`; return the exit code.

    Args:
        url: Root of the app, with or without its scheme.
        name: Name of the key; user and host if None.
        opens_browser: Whether a browser may be opened.
        shows_qr_code: Whether the address is shown as a QR code, too, for a phone.
    """
    path = config_path()
    try:
        show_qr_code = qr_code_printer() if shows_qr_code else None
        if path is None:
            raise LoginError(
                f"there is no file to store the login in: set {CONFIG_VARIABLE} to one.", ExitCode.MISCONFIGURED
            )
        name = default_name() if name is None else name.strip()
        if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
            problem = f"the name {name!r} is not of 1 to {MAX_NAME_CHARACTERS} characters."
            raise LoginError(problem, ExitCode.MISCONFIGURED)
        request = KeyRequest.create(app_root(with_scheme(url), "The URL"), name)
        settings = Settings(url=request.url, key=IngestKey(request.token), queue_file=None)
        client = Client(settings)
        try:
            organization = wait_until_allowed(request, client, opens_browser=opens_browser, show_qr_code=show_qr_code)
        finally:
            client.close()
        write_login(path, Login(request.url, request.token, organization))
    except (SettingsError, ConfigFileError) as error:
        print(f"livewatch: {error}", file=sys.stderr)
        return ExitCode.MISCONFIGURED
    except LoginError as error:
        print(f"livewatch: {error}", file=sys.stderr)
        return error.exit_code
    print(f"Logged in to {organization} at {request.url}.")
    if os.environ.get("LIVEWATCH_URL") or os.environ.get("LIVEWATCH_KEY"):
        print(f"livewatch: {VARIABLES} override this login: unset both to use it.", file=sys.stderr)
    return ExitCode.DONE


def wait_until_allowed(
    request: KeyRequest,
    client: Asker,
    *,
    opens_browser: bool,
    show_qr_code: Callable[[str], object] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> str:
    """Show code and address, and ask the server until an admin has allowed the key.

    Args:
        request: The key.
        client: Sends requests with that key.
        opens_browser: Whether a browser may be opened.
        show_qr_code: Shows the address as a QR code; None for no code.
        clock: Monotonic time in seconds.
        sleep: Waits for a number of seconds.

    Returns:
        Name of the organisation.

    Raises:
        LoginError: The URL is not that of Livewatch, the key was refused, or nobody allowed it within 10 minutes.
    """
    ends_at = clock() + LOGIN_TIMEOUT_SECONDS
    is_shown, last_obstacle = False, ""
    while True:
        response, obstacle = _ask(client)
        organization = organization_of(response)
        if organization is not None:
            return organization
        if response is not None and not is_unknown_key(response):
            exit_code, obstacle = problem_with(request.url, response)
            if exit_code is not ExitCode.UNREACHABLE:
                raise LoginError(obstacle, exit_code)
        # After the first answer, which tells a wrong URL.
        if not is_shown:
            is_shown = True
            _show(request, opens_browser=opens_browser)
            if show_qr_code:
                show_qr_code(request.address)
        if obstacle not in ("", last_obstacle):
            print(f"livewatch: {obstacle} Trying on; Ctrl-C stops.", file=sys.stderr)
        last_obstacle = obstacle
        pause = max(POLL_SECONDS, (response.retry_after or 0) if response is not None else 0)
        if clock() + pause > ends_at:
            advice = obstacle or "Run the command again, and have an admin open the address."
            minutes = round(LOGIN_TIMEOUT_SECONDS / 60)
            raise LoginError(f"nobody allowed the key within {minutes} minutes. {advice}", ExitCode.REJECTED)
        sleep(pause)


def qr_code_printer() -> Callable[[str], object]:
    """Return a function that prints a text as a QR code to standard error; raises LoginError without the extra `qr`."""
    try:
        import segno  # noqa: PLC0415
    except ImportError as error:
        raise LoginError(
            "QR codes need one more package: pip install 'livewatch[qr]', or leave out --qr.", ExitCode.MISCONFIGURED
        ) from error
    return lambda address: segno.make(address, micro=False, error="l").terminal(out=sys.stderr, compact=True)


def with_scheme(url: str) -> str:
    """Return a URL with a scheme: the given one, else http for this machine and https for others."""
    url = url.strip()
    if "://" in url:
        return url
    try:
        host = urlsplit(f"//{url}").hostname or ""
    except ValueError:
        return url
    return f"{'http' if _is_loopback(host) else 'https'}://{url}"


def default_name() -> str:
    """Return `user@host`, as far as they are known."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # The user id has no name.
        user = ""
    return "@".join(filter(None, (user, platform.node())))[:MAX_NAME_CHARACTERS] or "livewatch"


def can_open_browser(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this machine has a screen that the person sits at."""
    if any(environment.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")):
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def _ask(client: Asker) -> tuple[Response | None, str]:
    """Return the response, or None and why there is none."""
    try:
        return client.request("GET", "/me"), ""
    except UnreachableError as error:
        return None, f"{error}."


def _show(request: KeyRequest, *, opens_browser: bool) -> None:
    opens_browser = opens_browser and can_open_browser()
    print(
        f"Code: {request.code}\n"
        f"{'The browser opens this address' if opens_browser else 'Open this address in a browser'}; "
        f"allow the key if the page shows the same code:\n{request.address}",
        file=sys.stderr,
        flush=True,
    )
    if opens_browser:
        # Some browsers keep their caller waiting.
        threading.Thread(target=open_page, args=(request.address,), name="browser", daemon=True).start()


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
