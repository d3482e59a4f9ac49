"""The Auth server at `/auth/v1`: sign-up, sessions, users and keys, with GoTrue's answers and errors."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_supabase.auth.gateway import bearer_claims, json_body, with_api_key
from local_supabase.auth.keys import Claims, SigningKey, Verifier, sign
from local_supabase.auth.passwords import Passwords
from local_supabase.auth.users import Row, Users, present, refuse_banned
from local_supabase.errors import ApiError
from local_supabase.http.attempts import Attempts

EMAIL = re.compile(r"^[^@\s]{1,64}@[^@\s]+\.?[^@\s]*$")
LONGEST_PASSWORD = 72
LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """`issuer` goes into tokens as `iss`; lifetimes are in seconds."""

    issuer: str
    token_lifetime: int = 3600
    shortest_password: int = 6
    password_attempts: int = 10
    """Failed sign-ins for one address from one origin within `attempts_window`."""
    attempts_window: float = 300.0


class Auth:
    """The endpoints; owns no connection."""

    def __init__(
        self,
        users: Users,
        key: SigningKey,
        verifier: Verifier,
        settings: AuthSettings,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._users = users
        self._key = key
        self._verifier = verifier
        self._settings = settings
        self._passwords = Passwords()
        self._attempts = Attempts(settings.password_attempts, settings.attempts_window, clock)
        self._clock = clock

    def routes(self) -> list[Route]:
        """Paths below `/auth/v1`; all but the public keys need the API key."""
        guarded = [
            ("/signup", self._sign_up, ["POST"]),
            ("/token", self._token, ["POST"]),
            ("/user", self._user, ["GET"]),
            ("/user", self._update_user, ["PUT"]),
            ("/logout", self._log_out, ["POST"]),
            ("/health", self._health, ["GET"]),
            ("/settings", self._show_settings, ["GET"]),
            ("/admin/users", self._admin_create, ["POST"]),
            ("/admin/users", self._admin_list, ["GET"]),
            ("/admin/users/{id}", self._admin_get, ["GET"]),
            ("/admin/users/{id}", self._admin_update, ["PUT"]),
            ("/admin/users/{id}", self._admin_delete, ["DELETE"]),
        ]
        routes = [Route(path, with_api_key(view, self._verifier), methods=methods) for path, view, methods in guarded]
        return [Route("/.well-known/jwks.json", self._jwks, methods=["GET"]), *routes]

    async def create_user(
        self,
        email: str,
        password: str,
        *,
        user_metadata: Row | None = None,
        app_metadata: Row | None = None,
        confirmed: bool = True,
        user_id: str | None = None,
    ) -> Row:
        """Create a user with a valid address and a password that is long enough; raises ApiError."""
        address = _checked_email(email)
        self._check_password(password)
        return await self._users.create(
            email=address,
            password_hash=await self._passwords.hash(password),
            user_metadata=user_metadata or {},
            app_metadata=app_metadata,
            confirmed=confirmed,
            user_id=user_id,
        )

    async def has_user(self, email: str) -> bool:
        return await self._users.by_email(_checked_email(email)) is not None

    async def _sign_up(self, request: Request) -> Response:
        body = await json_body(request)
        if not body.get("email"):
            if body.get("password"):
                raise ApiError(400, "validation_failed", "To signup, please provide your email")
            raise ApiError(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
        if not body.get("password"):
            raise ApiError(400, "validation_failed", "Signup requires a valid password")
        user = await self.create_user(
            _text(body, "email"), _text(body, "password"), user_metadata=_object(body, "data")
        )
        return await self._open_session(request, user)

    async def _token(self, request: Request) -> Response:
        grant = request.query_params.get("grant_type")
        if grant == "password":
            return await self._sign_in(request)
        if grant == "refresh_token":
            body = await json_body(request)
            token = _text(body, "refresh_token")
            if not token:
                raise ApiError(400, "validation_failed", "Refresh token is not valid")
            user, refresh_token = await self._users.rotate(token)
            return JSONResponse(self._session(user, refresh_token), headers={"cache-control": "no-store"})
        return JSONResponse({"error": "unsupported_grant_type", "error_description": ""}, status_code=400)

    async def _sign_in(self, request: Request) -> Response:
        body = await json_body(request)
        email, password = _text(body, "email").strip().lower(), _text(body, "password")
        if not email:
            raise ApiError(400, "validation_failed", "missing email or phone")
        origin = (email, request.client.host if request.client else "")
        if not self._attempts.begin(origin):
            raise ApiError(429, "over_request_rate_limit", "Request rate limit reached")
        user = await self._users.by_email(email)
        if not await self._passwords.matches(password, user["encrypted_password"] if user else None) or user is None:
            raise ApiError(400, "invalid_credentials", "Invalid login credentials")
        self._attempts.succeeded(origin)
        refuse_banned(user)
        if user["email_confirmed_at"] is None:
            raise ApiError(400, "email_not_confirmed", "Email not confirmed")
        return await self._open_session(request, user)

    async def _user(self, request: Request) -> Response:
        _claims, user = await self._signed_in(request)
        return JSONResponse(present(user))

    async def _update_user(self, request: Request) -> Response:
        claims, user = await self._signed_in(request)
        body = await json_body(request)
        password_hash = None
        if password := _text(body, "password"):
            self._check_password(password)
            if await self._passwords.matches(password, user["encrypted_password"]):
                raise ApiError(422, "same_password", "New password should be different from the old password.")
            password_hash = await self._passwords.hash(password)
        email = _checked_email(_text(body, "email")) if body.get("email") else None
        metadata = _object(body, "data")
        if email:
            metadata["email"] = email
        updated = await self._users.update(user["id"], email=email, password_hash=password_hash, user_metadata=metadata)
        if password_hash:
            await self._users.close_sessions(str(user["id"]), str(claims["session_id"]), "others")
        return JSONResponse(present(updated))

    async def _log_out(self, request: Request) -> Response:
        scope = request.query_params.get("scope", "global")
        if scope not in ("local", "global", "others"):
            raise ApiError(400, "validation_failed", f'Unsupported logout scope "{scope}"')
        claims, user = await self._signed_in(request)
        await self._users.close_sessions(str(user["id"]), str(claims["session_id"]), scope)
        return Response(status_code=204)

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"version": "local", "name": "GoTrue", "description": "Local Supabase Auth"})

    async def _show_settings(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "external": {"email": True, "phone": False, "anonymous_users": False},
                "disable_signup": False,
                "mailer_autoconfirm": True,
                "phone_autoconfirm": False,
                "sms_provider": "",
                "saml_enabled": False,
            }
        )

    async def _jwks(self, _request: Request) -> Response:
        return JSONResponse(self._key.jwks(), headers={"cache-control": "public, max-age=600"})

    async def _admin_create(self, request: Request) -> Response:
        self._admin(request)
        body = await json_body(request)
        user = await self.create_user(
            _text(body, "email"),
            _text(body, "password"),
            user_metadata=_object(body, "user_metadata"),
            app_metadata=_object(body, "app_metadata"),
            confirmed=bool(body.get("email_confirm")),
        )
        return JSONResponse(present(user))

    async def _admin_list(self, request: Request) -> Response:
        self._admin(request)
        page = _positive(request, "page", 1)
        size = min(_positive(request, "per_page", 50), LARGEST_PAGE)
        rows, total = await self._users.page(page, size)
        headers = {"x-total-count": str(total)}
        return JSONResponse({"users": [present(row) for row in rows], "aud": "authenticated"}, headers=headers)

    async def _admin_get(self, request: Request) -> Response:
        return JSONResponse(present(await self._admin_target(request)))

    async def _admin_update(self, request: Request) -> Response:
        user = await self._admin_target(request)
        body = await json_body(request)
        password_hash = None
        if password := _text(body, "password"):
            self._check_password(password)
            password_hash = await self._passwords.hash(password)
        updated = await self._users.update(
            user["id"],
            email=_checked_email(_text(body, "email")) if body.get("email") else None,
            password_hash=password_hash,
            user_metadata=_object(body, "user_metadata"),
            app_metadata=_object(body, "app_metadata"),
        )
        return JSONResponse(present(updated))

    async def _admin_delete(self, request: Request) -> Response:
        user = await self._admin_target(request)
        await self._users.delete(user["id"])
        return JSONResponse({})

    async def _admin_target(self, request: Request) -> Row:
        self._admin(request)
        user = await self._users.by_id(request.path_params["id"])
        if user is None:
            raise ApiError(404, "user_not_found", "User not found")
        return user

    def _admin(self, request: Request) -> None:
        if bearer_claims(request, self._verifier)["role"] != "service_role":
            raise ApiError(403, "not_admin", "User not allowed")

    async def _signed_in(self, request: Request) -> tuple[Claims, Row]:
        claims = bearer_claims(request, self._verifier)
        if not claims.get("sub"):
            raise ApiError(403, "bad_jwt", "invalid claim: missing sub claim")
        user = await self._users.by_id(str(claims["sub"]))
        if user is None:
            raise ApiError(403, "user_not_found", "User from sub claim in JWT does not exist")
        if not await self._users.session_exists(str(claims.get("session_id"))):
            raise ApiError(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        return claims, user

    async def _open_session(self, request: Request, user: Row) -> Response:
        updated, refresh_token = await self._users.open_session(
            user["id"],
            user_agent=request.headers.get("user-agent", ""),
            ip=request.client.host if request.client else None,
        )
        return JSONResponse(self._session(updated, refresh_token), headers={"cache-control": "no-store"})

    def _session(self, user: Row, refresh_token: str) -> dict[str, Any]:
        now = int(self._clock())
        claims: Claims = {
            "iss": self._settings.issuer,
            "sub": str(user["id"]),
            "aud": user["aud"],
            "exp": now + self._settings.token_lifetime,
            "iat": now,
            "email": user["email"],
            "phone": user["phone"] or "",
            "app_metadata": user["raw_app_meta_data"] or {},
            "user_metadata": user["raw_user_meta_data"] or {},
            "role": user["role"],
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": now}],
            "session_id": str(user["session_id"]),
            "is_anonymous": user["is_anonymous"],
        }
        return {
            "access_token": sign(self._key, claims),
            "token_type": "bearer",
            "expires_in": self._settings.token_lifetime,
            "expires_at": claims["exp"],
            "refresh_token": refresh_token,
            "user": present(user),
        }

    def _check_password(self, password: str) -> None:
        shortest = self._settings.shortest_password
        if len(password) < shortest:
            raise ApiError(
                422,
                "weak_password",
                f"Password should be at least {shortest} characters.",
                weak_password={"reasons": ["length"]},
            )
        if len(password.encode()) > LONGEST_PASSWORD:
            raise ApiError(400, "validation_failed", f"Password cannot be longer than {LONGEST_PASSWORD} characters")


def _checked_email(email: str) -> str:
    address = email.strip().lower()
    if len(address) > 255 or "\0" in address or not EMAIL.match(address):
        raise ApiError(400, "validation_failed", "Unable to validate email address: invalid format")
    return address


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ApiError(400, "bad_json", f"Could not parse request body as JSON: `{name}` is not a string")
    if "\0" in value:
        raise ApiError(400, "validation_failed", f"`{name}` contains a null character")
    return value


def _object(body: dict[str, Any], name: str) -> Row:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise ApiError(400, "bad_json", f"Could not parse request body as JSON: `{name}` is not an object")
    return dict(value)


def _positive(request: Request, name: str, default: int) -> int:
    try:
        value = int(request.query_params.get(name) or default)
    except ValueError:
        value = 0
    if value < 1:
        raise ApiError(400, "validation_failed", f"Bad Pagination Parameters: {name}")
    return value
