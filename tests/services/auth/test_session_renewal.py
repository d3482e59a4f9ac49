"""Sessions against an Auth server in memory, in virtual time."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

import jwt
import pytest
from pydantic import SecretStr

from services.auth.client import Auth, Tokens
from services.auth.sessions import Ending, Sessions, UserSession
from services.errors import AuthUnavailable, SessionExpired
from tests.virtual_time import run

SOON = timedelta(minutes=1)


def tokens(*, session_id: str = "s1", lives: timedelta = timedelta(hours=1), refresh: str = "r0") -> Tokens:
    claims = {
        "sub": str(uuid4()),
        "session_id": session_id,
        "iat": datetime.now(UTC) + lives - timedelta(hours=1),
        "exp": datetime.now(UTC) + lives,
        "email": "ada@example.org",
    }
    access = jwt.encode(claims, "a secret that nobody checks in these tests")
    return Tokens(access_token=SecretStr(access), refresh_token=SecretStr(refresh))


@dataclass
class FakeAuth:
    """Gives each refresh token's successor once, after a moment, as the real server does."""

    lives: timedelta = timedelta(hours=1)
    refreshed: list[str] = field(default_factory=list)
    verified: int = 0
    signed_out: int = 0
    is_revoked: bool = False
    is_down: bool = False

    async def refresh(self, old: Tokens) -> Tokens:
        await asyncio.sleep(0.1)
        self._refuse()
        used = old.refresh_token.get_secret_value()
        if used in self.refreshed:
            raise SessionExpired("The refresh token was used before.")
        self.refreshed.append(used)
        return tokens(session_id=old.identity.session_id, lives=self.lives, refresh=f"r{len(self.refreshed)}")

    async def verify(self, _: Tokens) -> None:
        self.verified += 1
        self._refuse()

    async def sign_out(self, _: Tokens) -> None:
        self.signed_out += 1
        self._refuse()

    def _refuse(self) -> None:
        if self.is_down:
            raise AuthUnavailable("The Auth server does not answer.")
        if self.is_revoked:
            raise SessionExpired("The session was revoked.")


@dataclass
class Window:
    """What a session told one window."""

    renewals: int = 0
    endings: list[Ending] = field(default_factory=list)

    def renewed(self) -> None:
        self.renewals += 1


def session_of(auth: FakeAuth, first: Tokens) -> UserSession:
    return UserSession(first, cast(Auth, auth))


def test_renewals_at_the_same_time_use_the_refresh_token_once() -> None:
    async def work() -> None:
        auth = FakeAuth()
        session = session_of(auth, tokens(lives=SOON))
        window = Window()
        leave = session.join(on_renew=window.renewed, on_end=window.endings.append)
        answers = await asyncio.gather(*(session.renew() for _ in range(5)))
        assert sorted(answers) == [False, False, False, False, True]
        assert auth.refreshed == ["r0"]
        assert (window.renewals, window.endings) == (1, [])
        leave()

    run(work())


def test_tokens_are_renewed_only_within_the_margin() -> None:
    async def work() -> None:
        auth = FakeAuth()
        session = session_of(auth, tokens(lives=timedelta(minutes=30)))
        assert not await session.renew(margin=timedelta(minutes=29))
        assert await session.renew(margin=timedelta(minutes=31))
        assert session.tokens.refresh_token.get_secret_value() == "r1"
        assert session.identity.expires_at > datetime.now(UTC) + timedelta(minutes=50)

    run(work())


def test_a_revoked_session_ends_every_window_once_and_for_good() -> None:
    async def work() -> None:
        auth = FakeAuth(is_revoked=True)
        session = session_of(auth, tokens(lives=SOON))
        windows = [Window(), Window()]
        leaves = [session.join(on_renew=each.renewed, on_end=each.endings.append) for each in windows]
        with pytest.raises(SessionExpired, match="was revoked"):
            await session.renew()
        assert [each.endings for each in windows] == [[Ending.EXPIRED], [Ending.EXPIRED]]
        with pytest.raises(SessionExpired, match="was revoked"):
            session.identity  # noqa: B018  # raises
        session.end("again")
        with pytest.raises(SessionExpired, match="was revoked"):
            await session.renew()
        assert [len(each.endings) for each in windows] == [1, 1]
        assert not auth.refreshed
        for leave in leaves:
            leave()

    run(work())


def test_an_auth_server_that_does_not_answer_ends_nothing() -> None:
    async def work() -> None:
        auth = FakeAuth(is_down=True)
        session = session_of(auth, tokens(lives=SOON))
        with pytest.raises(AuthUnavailable):
            await session.renew()
        await session.check()
        assert session.identity
        auth.is_down = False
        assert not await session.renew(), "the next try is 10 s after the last"
        await asyncio.sleep(10)
        assert await session.renew()

    run(work())


def test_while_a_window_is_open_the_session_is_renewed_and_checked() -> None:
    async def work() -> None:
        auth = FakeAuth(is_down=True)
        session = session_of(auth, tokens(lives=SOON))
        window = Window()
        leave = session.join(on_renew=window.renewed, on_end=window.endings.append)
        await asyncio.sleep(60)
        assert (window.renewals, auth.verified) == (0, 0)
        auth.is_down = False
        await asyncio.sleep(30)
        assert window.renewals == 1
        await asyncio.gather(*(session.check() for _ in range(5)))
        checks = auth.verified
        assert checks <= 5, "a check that was made just now is not repeated"
        auth.is_revoked = True
        await asyncio.sleep(30)
        assert window.endings == [Ending.EXPIRED]
        assert auth.verified == checks + 1
        await asyncio.sleep(60)
        assert auth.verified == checks + 1
        leave()

    run(work())


def test_nothing_is_asked_without_a_window() -> None:
    async def work() -> None:
        auth = FakeAuth()
        session = session_of(auth, tokens(lives=SOON))
        window = Window()
        leaves = [session.join(on_renew=window.renewed, on_end=window.endings.append) for _ in range(2)]
        leaves[0]()
        leaves[0]()
        await asyncio.sleep(20)
        assert window.renewals == 1
        leaves[1]()
        session._identity = tokens(lives=SOON).identity
        session._age = session._aged(is_new=False)
        await asyncio.sleep(60)
        assert (len(auth.refreshed), len(asyncio.all_tasks())) == (1, 1)
        leave = session.join(on_renew=window.renewed, on_end=window.endings.append)
        await asyncio.sleep(20)
        assert len(auth.refreshed) == 2
        leave()

    run(work())


def test_signing_out_ends_the_session_here_even_without_an_answer() -> None:
    async def work() -> None:
        auth = FakeAuth(is_down=True)
        sessions = Sessions(cast(Auth, auth))
        first, other = sessions.get_or_create(tokens()), sessions.get_or_create(tokens(session_id="s2"))
        window = Window()
        leave = first.join(on_renew=window.renewed, on_end=window.endings.append)
        await sessions.sign_out(first)
        leave()
        assert (auth.signed_out, window.endings) == (1, [Ending.SIGNED_OUT])
        assert sessions.get_or_create(tokens()) is not first
        assert sessions.get_or_create(tokens(session_id="s2")) is other

    run(work())


def test_sessions_that_nobody_uses_are_forgotten() -> None:
    async def work() -> None:
        auth = FakeAuth()
        sessions = Sessions(cast(Auth, auth))
        expired = sessions.get_or_create(tokens(session_id="expired", lives=-SOON))
        held = sessions.get_or_create(tokens(session_id="held", lives=-SOON))
        leave = held.join(on_renew=lambda: None, on_end=lambda _: None)
        fresh = sessions.get_or_create(tokens(session_id="fresh"))
        ended = sessions.get_or_create(tokens(session_id="ended"))
        ended.end("The session was revoked.")
        sessions.get_or_create(tokens(session_id="another"))
        assert [each.is_in_use for each in (expired, held, fresh, ended)] == [False, True, True, False]
        assert set(sessions._sessions) == {"held", "fresh", "another"}
        assert sessions.get_or_create(tokens(session_id="held")) is held
        leave()

    run(work())


@dataclass
class Clocks:
    """The wall clocks of this machine and of an Auth server, moved by the time of the event loop."""

    jump: float = 0.0
    """Seconds that this machine's clock is ahead."""
    began: float = field(default_factory=lambda: datetime.now(UTC).timestamp())

    def here(self) -> float:
        return self.there() + self.jump

    def there(self) -> float:
        return self.began + asyncio.get_running_loop().time()


@dataclass
class TimedAuth(FakeAuth):
    """Issues tokens by its own clock, and refuses those that have expired by it."""

    clocks: Clocks = field(default_factory=Clocks)

    async def refresh(self, old: Tokens) -> Tokens:
        await super().refresh(old)
        return self.issue(f"r{len(self.refreshed)}")

    async def verify(self, presented: Tokens) -> None:
        await super().verify(presented)
        if presented.identity.expires_at.timestamp() < self.clocks.there():
            raise SessionExpired("The token is expired.")

    def issue(self, refresh: str = "r0") -> Tokens:
        now = self.clocks.there()
        claims = {"sub": str(uuid4()), "session_id": "s1", "iat": now, "exp": now + self.lives.total_seconds()}
        return Tokens(access_token=SecretStr(jwt.encode(claims, "x" * 40)), refresh_token=SecretStr(refresh))


def watched(auth: TimedAuth) -> tuple[UserSession, Window]:
    """Return a session with two windows, which fetch their cookie after every renewal."""
    session = UserSession(auth.issue(), cast(Auth, auth), wall=auth.clocks.here)
    window = Window()
    requests: set[asyncio.Task[bool]] = set()

    def renewed() -> None:
        window.renewed()
        requests.add(asyncio.create_task(session.renew(margin=session.margin / 2)))

    for _ in range(2):
        session.join(on_renew=renewed, on_end=window.endings.append)
    return session, window


@pytest.mark.parametrize(("seconds", "renewals"), [(100, 6), (3600, 0), (20, 30)])
def test_the_margin_is_a_share_of_the_tokens_life(seconds: float, renewals: int) -> None:
    async def work() -> None:
        auth = TimedAuth(lives=timedelta(seconds=seconds))
        session, window = watched(auth)
        for _ in range(500):
            await asyncio.sleep(1)
            assert session.tokens.identity.expires_at.timestamp() > auth.clocks.there()
            await session.renew(margin=session.margin / 2)
        assert abs(len(auth.refreshed) - renewals) <= max(1, renewals / 10)
        assert window.endings == []

    run(work())


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 86400.0])
def test_a_clock_that_jumps_makes_one_renewal(jump: float) -> None:
    async def work() -> None:
        auth = TimedAuth()
        session, window = watched(auth)
        await asyncio.sleep(60)
        auth.clocks.jump = jump
        await asyncio.sleep(1800)
        assert len(auth.refreshed) == (jump > 0)
        await asyncio.sleep(3600)
        assert len(auth.refreshed) <= 2 + (jump > 0)
        assert window.endings == []
        assert session.tokens.identity.expires_at.timestamp() > auth.clocks.there()

    run(work())


def test_a_token_that_the_auth_server_refuses_is_renewed_at_once() -> None:
    async def work() -> None:
        auth = TimedAuth()
        session, window = watched(auth)
        auth.clocks.began += 7200  # the Auth server's clock jumps, and this machine's with it
        auth.clocks.jump = -7200
        await asyncio.sleep(20)
        assert (len(auth.refreshed), window.endings) == (1, [])
        assert session.identity

    run(work())


def test_no_storm_of_requests_renews_more_than_once_in_ten_seconds() -> None:
    async def work() -> None:
        auth = TimedAuth(is_down=True)
        session, _ = watched(auth)
        tries = 0

        async def request() -> None:
            nonlocal tries
            try:
                await session.renew(margin=timedelta(days=1))
            except AuthUnavailable:
                tries += 1

        for _ in range(60):
            await asyncio.gather(*(request() for _ in range(20)))
            await asyncio.sleep(0.5)
        assert tries <= 4

    run(work())
