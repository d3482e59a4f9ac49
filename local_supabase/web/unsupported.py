"""Answers for paths that a hosted project serves and the local Supabase does not, and for paths that nobody serves."""

from starlette.exceptions import HTTPException
from starlette.requests import Request

from local_supabase.errors import ApiError

NOT_FOUND = "not_found"

# GoTrue's sentence and code for a feature that is switched off, by the beginning of the path. The first match counts.
SAML = ("SAML 2.0 is disabled", "saml_provider_disabled")
OAUTH_SERVER = ("OAuth server is disabled", "feature_disabled")
FEATURES = {
    "/auth/v1/admin/sso": SAML,
    "/auth/v1/sso": SAML,
    "/auth/v1/scim": ("SCIM server is disabled", "feature_disabled"),
    "/auth/v1/admin/oauth": OAUTH_SERVER,
    "/auth/v1/oauth": OAUTH_SERVER,
    "/auth/v1/user/oauth": OAUTH_SERVER,
    "/auth/v1/.well-known/openid-configuration": OAUTH_SERVER,
    "/auth/v1/.well-known/oauth-authorization-server": OAUTH_SERVER,
    "/auth/v1/admin/custom-providers": ("Custom OAuth providers are disabled", "feature_disabled"),
    "/auth/v1/user/identities": ("Manual linking is disabled", "manual_linking_disabled"),
    "/auth/v1/factors": ("MFA enroll is disabled for TOTP, Phone and WebAuthn", "mfa_totp_enroll_not_enabled"),
    "/auth/v1/passkeys": ("Passkeys are disabled", "passkey_disabled"),
    "/auth/v1/admin/audit": ("The audit log is disabled", "feature_disabled"),
    "/auth/v1/admin/users": ("MFA and passkeys are disabled", "feature_disabled"),
    "/rest/v1": ("REST is disabled: use the database URL for data", "feature_disabled"),
    "/graphql/v1": ("GraphQL is disabled: use the database URL for data", "feature_disabled"),
    "/storage/v1": ("Storage is disabled", "feature_disabled"),
    "/functions/v1": ("Functions are disabled", "feature_disabled"),
}


def api_error(request: Request, error: HTTPException) -> ApiError:
    """Return the framework's error as one of ours, which names the missing feature or path."""
    path = request.url.path
    if error.status_code == 405:
        return ApiError(405, "method_not_allowed", f"{request.method} is not allowed for {path}")
    if error.status_code != 404:
        return ApiError(error.status_code, "unexpected_failure", str(error.detail))
    for beginning, (sentence, code) in FEATURES.items():
        if path == beginning or path.startswith(f"{beginning}/"):
            return ApiError(404, code, f"{sentence} (the local Supabase does not serve {path})")
    return ApiError(
        404,
        NOT_FOUND,
        f"The local Supabase serves Auth (/auth/v1) and Realtime (/realtime/v1), not {path}: "
        "use the database URL for data",
    )
