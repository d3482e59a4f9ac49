"""Refusals of the Auth server as errors of this app."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import supabase_auth
from supabase_auth.errors import AuthApiError, AuthInvalidCredentialsError, AuthWeakPasswordError

from services.errors import (
    AccountRefused,
    AuthError,
    AuthUnavailable,
    LinkRefused,
    PasswordRefused,
    SessionExpired,
    TooManyAttempts,
    WrongCredentials,
)

SESSION_OVER = frozenset(
    {"session_not_found", "session_expired", "refresh_token_not_found", "refresh_token_already_used", "bad_jwt"}
)

LINK_OVER = frozenset({"otp_expired", "flow_state_not_found", "flow_state_expired", "bad_code_verifier"})
PASSWORD_REFUSED = frozenset({"weak_password", "same_password"})
ACCOUNT_REFUSED = frozenset(
    {"email_exists", "user_already_exists", "email_address_invalid", "email_address_not_authorized"}
    | {"validation_failed"}
)


@contextmanager
def official_errors() -> Iterator[None]:
    """Raise an AuthError of this app in place of each error of the official client in the block."""
    try:
        yield
    except AuthWeakPasswordError as error:
        raise PasswordRefused(error.message) from error
    except (AuthInvalidCredentialsError, AuthApiError) as error:
        if error.code in LINK_OVER:
            raise LinkRefused("The link has expired, was used before, or is incomplete.") from error
        if error.code in PASSWORD_REFUSED:
            raise PasswordRefused(error.message) from error
        if error.code == "invalid_credentials" or isinstance(error, AuthInvalidCredentialsError):
            raise WrongCredentials("E-mail and password do not match.") from error
        if error.code in ACCOUNT_REFUSED:
            raise AccountRefused(error.message) from error
        if error.status == 429:
            raise TooManyAttempts("The Auth server limits requests. Try again in a few minutes.") from error
        if error.status in (401, 403, 404) or error.code in SESSION_OVER:
            raise SessionExpired("The session has ended. Sign in again.") from error
        if error.status >= 500:
            raise unavailable() from error
        raise AuthError(f"The Auth server rejected the request: {error.message}.") from error
    except (supabase_auth.errors.AuthError, httpx.HTTPError) as error:
        raise unavailable() from error


def unavailable() -> AuthUnavailable:
    """Return the error for an Auth server that does not answer."""
    return AuthUnavailable("The Auth server does not respond. Try again in a moment.")
