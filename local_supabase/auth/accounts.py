"""Account creation and password rules, shared by sign-up, the admin API and the server's start."""

from dataclasses import dataclass

from local_supabase.auth.fields import normalize_email
from local_supabase.auth.passwords import Passwords
from local_supabase.auth.users import Row, Users
from local_supabase.errors import ApiError

MAX_PASSWORD_BYTES = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """Settings of the Auth server; times in seconds, `issuer` is the tokens' `iss`."""

    issuer: str
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

    async def create(
        self,
        email: str,
        password: str,
        *,
        user_metadata: Row | None = None,
        app_metadata: Row | None = None,
        confirmed: bool = True,
    ) -> Row:
        """Insert a user and return it.

        Raises:
            ApiError: the address is invalid (400) or taken (422), or the password breaks the rules (400, 422).
        """
        address = normalize_email(email)
        return await self.users.create(
            email=address,
            password_hash=await self.hash_password(password),
            user_metadata=user_metadata or {},
            app_metadata=app_metadata,
            confirmed=confirmed,
        )

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
