"""Answers for paths that a hosted project serves and the local Supabase does not, and for paths that nobody serves."""

from starlette.exceptions import HTTPException
from starlette.requests import Request

from local_supabase.errors import ApiError

NOT_FOUND = "not_found"

# Feature and GoTrue's code for it when it is switched off, by the beginning of the path. The first match counts.
FEATURES = {
    "/auth/v1/admin/sso": ("Single sign-on (SAML)", "saml_provider_disabled"),
    "/auth/v1/sso": ("Single sign-on (SAML)", "saml_provider_disabled"),
    "/auth/v1/scim": ("SCIM", "feature_disabled"),
    "/auth/v1/admin/oauth": ("The OAuth server", "feature_disabled"),
    "/auth/v1/oauth": ("The OAuth server", "feature_disabled"),
    "/auth/v1/user/oauth": ("The OAuth server", "feature_disabled"),
    "/auth/v1/.well-known/openid-configuration": ("The OAuth server", "feature_disabled"),
    "/auth/v1/.well-known/oauth-authorization-server": ("The OAuth server", "feature_disabled"),
    "/auth/v1/admin/custom-providers": ("Custom OAuth providers", "feature_disabled"),
    "/auth/v1/authorize": ("Sign-in with an OAuth provider", "oauth_provider_not_supported"),
    "/auth/v1/callback": ("Sign-in with an OAuth provider", "oauth_provider_not_supported"),
    "/auth/v1/user/identities": ("Linking of identities", "manual_linking_disabled"),
    "/auth/v1/factors": ("Multi-factor authentication", "feature_disabled"),
    "/auth/v1/passkeys": ("Passkeys", "passkey_disabled"),
    "/auth/v1/admin/audit": ("The audit log", "feature_disabled"),
    "/auth/v1/admin/users": ("Multi-factor authentication or passkeys of a user", "feature_disabled"),
    "/rest/v1": ("REST (use the database URL for data)", "feature_disabled"),
    "/graphql/v1": ("GraphQL (use the database URL for data)", "feature_disabled"),
    "/storage/v1": ("Storage", "feature_disabled"),
    "/functions/v1": ("Functions", "feature_disabled"),
}


def api_error(request: Request, error: HTTPException) -> ApiError:
    """Return the framework's error as one of ours, which names the missing feature or path."""
    path = request.url.path
    if error.status_code == 405:
        return ApiError(405, "method_not_allowed", f"{request.method} is not allowed for {path}")
    if error.status_code != 404:
        return ApiError(error.status_code, "unexpected_failure", str(error.detail))
    for beginning, (feature, code) in FEATURES.items():
        if path == beginning or path.startswith(f"{beginning}/"):
            return ApiError(404, code, f"{feature} is not supported by the local Supabase: {path} is not served")
    return ApiError(
        404,
        NOT_FOUND,
        f"The local Supabase serves Auth (/auth/v1) and Realtime (/realtime/v1), not {path}: "
        "use the database URL for data",
    )
