"""Account creation, password rules and password hashing, shared by sign-up, the admin API and the server's start."""

import asyncio
import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from local_supabase.auth.fields import normalize_email
from local_supabase.auth.users import NewUser, Row, Users, user_json
from local_supabase.errors import ApiError

MAX_PASSWORD_BYTES = 72
MAX_CONCURRENT_HASHES = 4
# RFC 9106, second recommended option, with less memory per hash: the server shares a laptop with the application.
_HASHER = PasswordHasher(time_cost=2, memory_cost=32 * 1024, parallelism=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """Settings of the Auth server; times in seconds, `issuer` is its address and the tokens' `iss`."""

    issuer: str
    site_url: str
    """Where links lead unless a request names another address; addresses of this machine are allowed, too."""
    autoconfirm: bool = True
    """Whether addresses of sign-ups and changes count as confirmed at once, since no mail is sent."""
    disable_signup: bool = False
    """Whether only the service role makes accounts."""
    token_lifetime: int = 3600
    min_password_length: int = 6
    password_attempts: int = 10
    """Failed sign-ins per address and client host within `password_attempts_window`."""
    password_attempts_window: float = 300.0


class Accounts:
    """Creates users and hashes passwords that satisfy the rules."""

    def __init__(self, users: Users, settings: AuthSettings) -> None:
        self.users = users
        self.passwords = Passwords()
        self._settings = settings

    async def create(self, new: NewUser, password: str = "") -> Row:
        """Insert a user and return it; without a password or hash they cannot sign in with one.

        Raises:
            ApiError: the address is invalid (400) or taken (422), or the password breaks the rules (400, 422).
        """
        hashed = await self.hash_password(password) if password else new.password_hash
        return await self.users.create(replace(new, email=normalize_email(new.email), password_hash=hashed))

    async def exists(self, email: str) -> bool:
        """Return whether a user has this address; raises ApiError (400) if it is invalid."""
        return await self.users.by_email(normalize_email(email)) is not None

    async def hash_password(self, password: str) -> str:
        """Return the hash of a new password; raises ApiError (400, 422) if it is too short or too long."""
        self.check_password(password)
        return await self.passwords.hash(password)

    def check_password(self, password: str) -> None:
        """Raise ApiError (400, 422) if a new password is too short or too long."""
        minimum = self._settings.min_password_length
        if len(password) < minimum:
            raise ApiError(
                422,
                "weak_password",
                f"Password should be at least {minimum} characters.",
                weak_password={"reasons": ["length"]},
            )
        if len(password.encode()) > MAX_PASSWORD_BYTES:
            raise ApiError(400, "validation_failed", f"Password cannot be longer than {MAX_PASSWORD_BYTES} characters")

    def check_hash(self, password_hash: str) -> None:
        """Raise ApiError (400) if passwords cannot be verified with an imported hash."""
        try:
            extract_parameters(password_hash)
        except InvalidHashError as error:
            raise ApiError(
                400,
                "validation_failed",
                "The local Supabase verifies argon2 hashes only: set `password` instead of `password_hash`",
            ) from error


def obscured_json(user: Row, new: NewUser) -> Row:
    """Return what a sign-up with a taken address gets: a user that is like a new one, and does not exist."""
    now = datetime.now(UTC)
    unknown: Row = {
        **user,
        **dict.fromkeys(("email_confirmed_at", "invited_at", "confirmed_at", "recovery_sent_at", "last_sign_in_at")),
        **dict.fromkeys(("email_change_sent_at", "banned_until", "deleted_at")),
        **dict.fromkeys(("created_at", "updated_at", "confirmation_sent_at"), now),
        "id": uuid.uuid4(),
        "phone": None,
        "email_change": "",
        "raw_app_meta_data": {"provider": "email", "providers": ["email"]},
        "raw_user_meta_data": new.user_metadata,
        "identities": [],
    }
    return user_json(unknown)


class Passwords:
    """Hashes and verifies passwords in threads; bounds concurrency, and with it memory."""

    def __init__(self) -> None:
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_HASHES)
        self._decoy_hash: str | None = None

    async def hash(self, password: str) -> str:
        """Return the argon2id hash, with its parameters and salt."""
        async with self._semaphore:
            return await asyncio.to_thread(_HASHER.hash, password)

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Verify a password; for an unknown user (`hashed` is None) take as long, and return False."""
        if hashed is None:
            if self._decoy_hash is None:
                self._decoy_hash = await self.hash(secrets.token_urlsafe())
            await self._verify(password, self._decoy_hash)
            return False
        return await self._verify(password, hashed)

    async def _verify(self, password: str, hashed: str) -> bool:
        async with self._semaphore:
            return await asyncio.to_thread(_verify, password, hashed)


def _verify(password: str, hashed: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
