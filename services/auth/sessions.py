"""Signed-in sessions of this process, shared by their windows and refreshed before their tokens expire."""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

import structlog

from services.auth.client import Auth, Tokens
from services.auth.identity import Identity
from services.auth.token_age import TokenAge
from services.errors import AuthError, AuthUnavailable, SessionExpired
from services.infra.logging import create_shared_task

logger = structlog.get_logger(__name__)

RENEWAL_MARGIN = timedelta(minutes=5)
RENEWAL_SHARE = 0.2
"""Share of a token's lifetime that the margin is at most; short tokens would be within it all their life otherwise."""
MIN_RENEWAL_INTERVAL_SECONDS = 10.0
RETRY_SECONDS = 5.0
MIN_CHECK_INTERVAL = timedelta(seconds=5)
CHECK_INTERVAL_SECONDS = 8.0
ENDED_ELSEWHERE = "The session was ended from another one. Sign in again."


class Ending(StrEnum):
    """Reason for which a session ended."""

    EXPIRED = "expired"
    SIGNED_OUT = "signed-out"


class UserSession:
    """One session of a user, shared by the windows of one browser.

    While at least one window has joined, the session refreshes its tokens before they expire, at most once in 10 s, and
    checks every 8 s whether it was revoked. `tokens` are the current tokens; a holder of a copy, such as the cookie,
    updates it in `on_renew`.
    """

    def __init__(self, tokens: Tokens, auth: Auth, *, wall: Callable[[], float] = time.time) -> None:
        self.tokens = tokens
        self._wall = wall
        self._clock = asyncio.get_running_loop().time
        self._auth = auth
        self._identity = tokens.identity
        self._ended: str | None = None
        self._windows: dict[object, tuple[Callable[[], None], Callable[[Ending], None]]] = {}
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._age = self._aged(is_new=False)
        self._tried_at = self._checked_at = -math.inf

    @property
    def identity(self) -> Identity:
        """Identity of the user; raises SessionExpired once the session has ended."""
        if self._ended is not None:
            raise SessionExpired(self._ended)
        return self._identity

    @property
    def user_id(self) -> UUID:
        """Id of the user, also once the session has ended."""
        return self._identity.user_id

    @property
    def has_ended(self) -> bool:
        """Whether the session has ended, as far as this process knows."""
        return self._ended is not None

    @property
    def is_in_use(self) -> bool:
        """Whether a window has joined, or the access token is still valid."""
        return bool(self._windows) or (self._ended is None and self._age.remaining > timedelta(0))

    @property
    def margin(self) -> timedelta:
        """How long before its end the access token is renewed: a share of its lifetime."""
        return min(RENEWAL_MARGIN, self._age.lifetime * RENEWAL_SHARE)

    def join(self, *, on_renew: Callable[[], None], on_end: Callable[[Ending], None]) -> Callable[[], None]:
        """Join the session with a window.

        Args:
            on_renew: Called after the tokens were refreshed.
            on_end: Called once with the reason when the session ends.

        Returns:
            Function that leaves the session; idempotent.
        """
        window = object()
        self._windows[window] = (on_renew, on_end)
        if self._task is None or self._task.done():
            self._task = create_shared_task(self._keep(), name=f"session of {self._identity.email}")

        def leave() -> None:
            self._windows.pop(window, None)
            if not self._windows and self._task:
                self._task.cancel()
                self._task = None

        return leave

    async def renew(self, *, margin: timedelta | None = None, is_refused: bool = False) -> bool:
        """Refresh the tokens if they expire within `margin`, and no refresh was tried in the last 10 s.

        Args:
            margin: Time before the end of the access token; by default the session's own margin.
            is_refused: Whether the Auth server has refused the access token, so that it is refreshed in any case.

        Returns:
            Whether the tokens were refreshed.

        Raises:
            SessionExpired: The session has ended.
            AuthUnavailable: The Auth server did not respond.
        """
        refused = self.tokens if is_refused else None
        async with self._lock:
            self.identity  # noqa: B018  # raises if the session has ended
            if refused is not None and refused is not self.tokens:
                return True
            is_due = self._age.remaining <= (self.margin if margin is None else margin)
            is_early = self._clock() - self._tried_at < MIN_RENEWAL_INTERVAL_SECONDS
            if not is_refused and (is_early or not is_due):
                return False
            self._tried_at = self._clock()
            try:
                self._take(await self._auth.refresh(self.tokens), is_new=True)
            except SessionExpired as error:
                self.end(str(error))
                raise
        for on_renew, _ in list(self._windows.values()):
            on_renew()
        return True

    def take_newer(self, tokens: Tokens) -> None:
        """Take tokens of this session that another process has got, if they are newer than the present ones."""
        if not self._lock.locked() and tokens.identity.expires_at > self._identity.expires_at:
            self._take(tokens, is_new=False)

    async def check(self) -> None:
        """Verify the session with the Auth server, at most once per `MIN_CHECK_INTERVAL`; end it if it was revoked."""
        if self._clock() - self._checked_at < MIN_CHECK_INTERVAL.total_seconds():
            return
        self._checked_at = self._clock()
        is_new = self._clock() - self._tried_at < MIN_RENEWAL_INTERVAL_SECONDS
        with suppress(AuthUnavailable):
            try:
                await self._auth.verify(self.tokens)
            except SessionExpired as error:
                # The token may have expired by the Auth server's clock only; a session that is over is not refreshed.
                if is_new:
                    self.end(str(error))
                with suppress(SessionExpired):
                    await self.renew(is_refused=True)

    def end(self, cause: str, *, ending: Ending = Ending.EXPIRED) -> None:
        """End the session in this process and notify its windows; idempotent.

        Args:
            cause: Message of the SessionExpired that later uses raise.
            ending: Reason that the windows receive.
        """
        if self._ended is None:
            self._ended = cause
            for _, on_end in list(self._windows.values()):
                on_end(ending)

    async def _keep(self) -> None:
        while self._ended is None:
            due_in = (self._age.remaining - self.margin).total_seconds()
            allowed_in = self._tried_at + MIN_RENEWAL_INTERVAL_SECONDS - self._clock()
            await asyncio.sleep(min(CHECK_INTERVAL_SECONDS, max(due_in, allowed_in, 0.1)))
            try:
                if not await self.renew():
                    await self.check()
            except SessionExpired:
                return
            except AuthError as error:
                logger.info("session renewal failed", user=str(self._identity.user_id), cause=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    def _take(self, tokens: Tokens, *, is_new: bool) -> None:
        self.tokens = tokens
        self._identity = tokens.identity
        self._age = self._aged(is_new=is_new)

    def _aged(self, *, is_new: bool) -> TokenAge:
        return TokenAge(self._identity, is_new=is_new, monotonic=self._clock, wall=self._wall)


class Sessions:
    """Sessions in use by this process, by the Auth server's session id."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._sessions: dict[str, UserSession] = {}

    def get_or_create(self, tokens: Tokens) -> UserSession:
        """Return the session of these tokens; it takes the newer of these tokens and its own.

        Another process that serves the same browser may have refreshed the session: a refresh token works once, and a
        second use of it would end the session.

        Raises SessionExpired for malformed tokens.
        """
        identity = tokens.identity
        session = self._sessions.get(identity.session_id)
        if session is None:
            self._evict_idle()
            session = self._sessions[identity.session_id] = UserSession(tokens, self._auth)
        else:
            session.take_newer(tokens)
        return session

    async def sign_out(self, session: UserSession) -> None:
        """Sign out at the Auth server and end the session here, even if the Auth server does not respond."""
        with suppress(AuthError):
            await self._auth.sign_out(session.tokens)
        session.end("You have signed out.", ending=Ending.SIGNED_OUT)
        self._sessions = {id: each for id, each in self._sessions.items() if each is not session}

    def end_others(self, session: UserSession) -> None:
        """End the user's other sessions in this process, after the Auth server has ended them."""
        for other in list(self._sessions.values()):
            if other is not session and other.user_id == session.user_id:
                other.end(ENDED_ELSEWHERE)

    def end(self, session_id: UUID) -> None:
        """End a session in this process, after the Auth server has ended it; no effect on one that is not here."""
        if session := self._sessions.get(str(session_id)):
            session.end(ENDED_ELSEWHERE)

    def _evict_idle(self) -> None:
        """Drop sessions without windows whose tokens have expired; their cookies recreate them."""
        self._sessions = {id: each for id, each in self._sessions.items() if each.is_in_use}
