"""The admin API below `/auth/v1/admin/users`: manages users on behalf of the service role."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_supabase.auth.accounts import Accounts
from local_supabase.auth.fields import (
    ban_field,
    check_known,
    email_field,
    flag_field,
    object_field,
    positive_parameter,
    role_field,
    text_field,
    uuid_field,
)
from local_supabase.auth.gateway import require_service_role
from local_supabase.auth.keys import Verifier
from local_supabase.auth.users import AUDIENCE, EMAIL_EXISTS, NewUser, Row, UserChanges, parse_uuid, user_json
from local_supabase.errors import ApiError
from local_supabase.web.bodies import read_json_object

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
CHANGEABLE = {"email", "password", "email_confirm", "user_metadata", "app_metadata", "ban_duration", "role"}
CREATABLE = CHANGEABLE | {"id", "aud", "password_hash"}


class AdminEndpoints:
    """Endpoints that require a bearer token with an administrator's role."""

    def __init__(self, accounts: Accounts, verifier: Verifier) -> None:
        self._accounts = accounts
        self._users = accounts.users
        self._verifier = verifier

    async def create(self, request: Request) -> Response:
        """Create a user."""
        require_service_role(request, self._verifier)
        body = await _read(request, CREATABLE)
        if not (email := email_field(body)):
            raise ApiError(400, "validation_failed", "Cannot create a user without either an email or phone")
        password, password_hash = text_field(body, "password"), text_field(body, "password_hash")
        if password_hash:
            if password:
                raise ApiError(400, "validation_failed", "Only a password or a password hash should be provided")
            self._accounts.check_hash(password_hash)
        new = NewUser(
            email=email,
            password_hash=password_hash or None,
            user_metadata=object_field(body, "user_metadata"),
            app_metadata=object_field(body, "app_metadata"),
            confirmed=flag_field(body, "email_confirm"),
            id=uuid_field(body, "id"),
            role=role_field(body) or "authenticated",
            audience=text_field(body, "aud") or AUDIENCE,
            ban=ban_field(body) or timedelta(0),
        )
        try:
            return JSONResponse(user_json(await self._accounts.create(new, password)))
        except ApiError as error:
            if error.code == "user_already_exists":
                raise ApiError(422, "email_exists", EMAIL_EXISTS) from error
            raise

    async def list(self, request: Request) -> Response:
        """Return one page of users, newest first; the headers hold the number of all and links to other pages."""
        require_service_role(request, self._verifier)
        page = positive_parameter(request, "page", 1)
        size = min(positive_parameter(request, "per_page", DEFAULT_PAGE_SIZE), MAX_PAGE_SIZE)
        ascending = _is_ascending(request.query_params.get("sort", ""))
        search = request.query_params.get("filter", "").replace("\0", "")
        rows, total = await self._users.page(page, size, ascending=ascending, search=search)
        last = max(1, -(-total // size))
        links = ([("next", page + 1)] if page < last else []) + [("last", last)]
        headers = {"x-total-count": str(total), "link": ", ".join(_link(request, *link) for link in links)}
        return JSONResponse({"users": [user_json(row) for row in rows], "aud": AUDIENCE}, headers=headers)

    async def get(self, request: Request) -> Response:
        """Return the user of the path."""
        return JSONResponse(user_json(await self._user_of_path(request)))

    async def update(self, request: Request) -> Response:
        """Change the user of the path."""
        user = await self._user_of_path(request)
        body = await _read(request, CHANGEABLE)
        password = text_field(body, "password")
        changes = UserChanges(
            email=email_field(body),
            password_hash=await self._accounts.hash_password(password) if password else None,
            user_metadata=object_field(body, "user_metadata"),
            app_metadata=object_field(body, "app_metadata"),
            role=role_field(body),
            confirm=flag_field(body, "email_confirm"),
            ban=ban_field(body),
        )
        return JSONResponse(user_json(await self._users.update(user["id"], changes)))

    async def delete(self, request: Request) -> Response:
        """Delete the user of the path; softly if the body says so."""
        user = await self._user_of_path(request)
        if flag_field(await _read(request, {"should_soft_delete"}), "should_soft_delete"):
            await self._users.soft_delete(user)
        else:
            await self._users.delete(user["id"])
        return JSONResponse({})

    async def _user_of_path(self, request: Request) -> Row:
        require_service_role(request, self._verifier)
        if parse_uuid(request.path_params["id"]) is None:
            raise ApiError(404, "validation_failed", "user_id must be an UUID")
        user = await self._users.by_id(request.path_params["id"])
        if user is None:
            raise ApiError(404, "user_not_found", "User not found")
        return user


async def _read(request: Request, known: set[str]) -> dict[str, Any]:
    body = await read_json_object(request)
    check_known(body, known)
    return body


def _is_ascending(sort: str) -> bool:
    field, _, direction = sort.partition(" ")
    if field not in ("", "created_at"):
        raise ApiError(400, "validation_failed", f"Bad Sort Parameters: bad field for sort '{field}'")
    if direction.lower() not in ("", "asc", "desc"):
        raise ApiError(
            400,
            "validation_failed",
            f"Bad Sort Parameters: bad direction for sort '{direction}', only 'asc' and 'desc' allowed",
        )
    return direction.lower() == "asc"


def _link(request: Request, relation: str, page: int) -> str:
    query = urlencode({**request.query_params, "page": page})
    return f'<{request.url.path}?{query}>; rel="{relation}"'
