"""The signed-in sessions of this process: one each, whatever the windows, refreshed before their tokens end."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import structlog

from services.auth.client import Auth, Tokens
from services.auth.identity import Identity
from services.errors import AuthError, AuthUnavailable, SessionExpired

logger = structlog.get_logger(__name__)

MARGIN = timedelta(minutes=5)
RETRY = 5.0
FRESH = timedelta(seconds=5)
CHECK_INTERVAL = 8.0


class Ending(StrEnum):
    """How a session came to its end."""

    EXPIRED = "expired"
    SIGNED_OUT = "signed-out"


class UserSession:
    """One session of one person, shared by their windows of one browser.

    While a window holds it (`join`), it refreshes its tokens before they end and asks now and then whether it was
    revoked. `tokens` are the current ones; whoever keeps a copy, as the cookie does, takes them again on `on_renew`.
    """

    def __init__(self, tokens: Tokens, auth: Auth) -> None:
        self.tokens = tokens
        self._auth = auth
        self._identity = tokens.identity
        self._ended: str | None = None
        self._windows: dict[object, tuple[Callable[[], None], Callable[[Ending], None]]] = {}
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._checked_at = datetime.min.replace(tzinfo=UTC)

    @property
    def identity(self) -> Identity:
        """Who it is; raises SessionExpired once the session has ended."""
        if self._ended is not None:
            raise SessionExpired(self._ended)
        return self._identity

    @property
    def is_in_use(self) -> bool:
        """Whether a window holds it, or its tokens are still good."""
        return bool(self._windows) or (self._ended is None and self._identity.expires_at > datetime.now(UTC))

    def join(self, *, on_renew: Callable[[], None], on_end: Callable[[Ending], None]) -> Callable[[], None]:
        """Hold the session for a window; returns what lets go of it, once or more often."""
        window = object()
        self._windows[window] = (on_renew, on_end)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._keep(), name=f"session of {self._identity.email}")

        def leave() -> None:
            self._windows.pop(window, None)
            if not self._windows and self._task:
                self._task.cancel()
                self._task = None

        return leave

    async def renew(self, *, margin: timedelta = MARGIN) -> bool:
        """Refresh the tokens if they end within `margin`; returns whether they are new.

        Raises SessionExpired when the session has ended, AuthUnavailable when there is no answer.
        """
        async with self._lock:
            if self.identity.expires_at - datetime.now(UTC) > margin:
                return False
            try:
                self.tokens = await self._auth.refresh(self.tokens)
            except SessionExpired as error:
                self.end(str(error))
                raise
            self._identity = self.tokens.identity
        for on_renew, _ in list(self._windows.values()):
            on_renew()
        return True

    async def check(self) -> None:
        """Ask the Auth server whether the session stands, unless it was asked just now; end it if it does not."""
        if datetime.now(UTC) - self._checked_at < FRESH:
            return
        self._checked_at = datetime.now(UTC)
        with suppress(AuthUnavailable):
            try:
                await self._auth.verify(self.tokens)
            except SessionExpired as error:
                self.end(str(error))

    def end(self, cause: str, *, ending: Ending = Ending.EXPIRED) -> None:
        """End it here: nobody can use it any more, and its windows are told which ending it was; idempotent."""
        if self._ended is None:
            self._ended = cause
            for _, on_end in list(self._windows.values()):
                on_end(ending)

    async def _keep(self) -> None:
        while self._ended is None:
            await asyncio.sleep(CHECK_INTERVAL)
            try:
                if not await self.renew():
                    await self.check()
            except SessionExpired:
                return
            except AuthError as error:
                logger.info("session is not renewed", user=str(self._identity.user_id), cause=str(error))
                await asyncio.sleep(RETRY)


class Sessions:
    """Every session that a window or a cookie of this process uses, by the Auth server's session id."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._sessions: dict[str, UserSession] = {}

    def take(self, tokens: Tokens) -> UserSession:
        """The session of these tokens; a known one keeps its own, which may be newer. Raises SessionExpired."""
        identity = tokens.identity
        session = self._sessions.get(identity.session_id)
        if session is None:
            self._forget_idle()
            session = self._sessions[identity.session_id] = UserSession(tokens, self._auth)
        return session

    async def sign_out(self, session: UserSession) -> None:
        """End the session at the Auth server and here; here also when there is no answer."""
        with suppress(AuthError):
            await self._auth.sign_out(session.tokens)
        session.end("You have signed out.", ending=Ending.SIGNED_OUT)
        self._sessions = {id: each for id, each in self._sessions.items() if each is not session}

    def _forget_idle(self) -> None:
        """Sessions whose tokens have ended and that no window holds are only what cookies say."""
        self._sessions = {id: each for id, each in self._sessions.items() if each.is_in_use}
