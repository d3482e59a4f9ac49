"""The admin API below `/auth/v1/admin/users`: manages users on behalf of the service role."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_supabase.auth.accounts import Accounts
from local_supabase.auth.fields import email_field, object_field, positive_parameter, text_field
from local_supabase.auth.gateway import bearer_claims
from local_supabase.auth.keys import Verifier
from local_supabase.auth.users import Row, user_json
from local_supabase.errors import ApiError
from local_supabase.web.bodies import read_json_object

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000


class AdminEndpoints:
    """Endpoints that require a bearer token with the role `service_role`."""

    def __init__(self, accounts: Accounts, verifier: Verifier) -> None:
        self._accounts = accounts
        self._users = accounts.users
        self._verifier = verifier

    async def create(self, request: Request) -> Response:
        """Create a user."""
        self._require_service_role(request)
        body = await read_json_object(request)
        user = await self._accounts.create(
            text_field(body, "email"),
            text_field(body, "password"),
            user_metadata=object_field(body, "user_metadata"),
            app_metadata=object_field(body, "app_metadata"),
            confirmed=bool(body.get("email_confirm")),
        )
        return JSONResponse(user_json(user))

    async def list(self, request: Request) -> Response:
        """Return one page of users; `x-total-count` holds the number of all."""
        self._require_service_role(request)
        page = positive_parameter(request, "page", 1)
        size = min(positive_parameter(request, "per_page", DEFAULT_PAGE_SIZE), MAX_PAGE_SIZE)
        rows, total = await self._users.page(page, size)
        headers = {"x-total-count": str(total)}
        return JSONResponse({"users": [user_json(row) for row in rows], "aud": "authenticated"}, headers=headers)

    async def get(self, request: Request) -> Response:
        """Return the user of the path."""
        return JSONResponse(user_json(await self._user_of_path(request)))

    async def update(self, request: Request) -> Response:
        """Change the user of the path."""
        user = await self._user_of_path(request)
        body = await read_json_object(request)
        password = text_field(body, "password")
        updated = await self._users.update(
            user["id"],
            email=email_field(body),
            password_hash=await self._accounts.hash_password(password) if password else None,
            user_metadata=object_field(body, "user_metadata"),
            app_metadata=object_field(body, "app_metadata"),
        )
        return JSONResponse(user_json(updated))

    async def delete(self, request: Request) -> Response:
        """Delete the user of the path."""
        user = await self._user_of_path(request)
        await self._users.delete(user["id"])
        return JSONResponse({})

    async def _user_of_path(self, request: Request) -> Row:
        self._require_service_role(request)
        user = await self._users.by_id(request.path_params["id"])
        if user is None:
            raise ApiError(404, "user_not_found", "User not found")
        return user

    def _require_service_role(self, request: Request) -> None:
        if bearer_claims(request, self._verifier)["role"] != "service_role":
            raise ApiError(403, "not_admin", "User not allowed")
