"""Typed settings from the environment, read once at startup."""

import re
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Self

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from local_supabase.mail.smtp_url import SmtpServer
from services.errors import ConfigurationError
from services.feed_kind import ClientKind, FeedKind
from services.oidc_settings import OidcSettings
from services.plan import Plan


class LogFormat(StrEnum):
    """Log format of LIVEWATCH_LOG; `auto` selects console output on a terminal and JSON elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class SignUp(StrEnum):
    """Who may make an account: anybody, people with an invitation, or nobody."""

    OPEN = "open"
    INVITED = "invited"
    OFF = "off"


ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
"""An empty path, or one like `/watch` or `/tools/watch`."""
OWN_PATHS = frozenset(
    {"alerts", "api", "artefacts", "connect", "export", "forgot", "healthz", "invitation", "metrics", "monitoring"}
    | {"new-password", "notifications", "readyz", "sdk", "session", "settings", "sign-in", "sign-up", "streams"}
    | {"auth", "badge", "push", "pwa", "status", "styles", "_nicegui", "_nicegui_ws"}
)
"""First parts of the app's own paths, which a root path may not begin with: a request could mean either."""


def is_own_path(path: str) -> bool:
    """Whether a path begins like one of the app itself."""
    return path.partition("/")[2].partition("/")[0] in OWN_PATHS


HOST_NAME = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE)
"""A name such as `watch.example.org`, or `*.example.org`."""
HOSTED_VARIABLES = ("SUPABASE_URL", "SUPABASE_ANON_KEY", "DATABASE_URL")


class Settings(OidcSettings):
    """Settings from environment variables, or from a `.env` file next to main.py.

    Without SUPABASE_URL, SUPABASE_ANON_KEY and DATABASE_URL the app starts a local Supabase whose data is in `data`.
    With all three it uses that project. DATABASE_URL must log in as the role `livewatch_app`.
    """

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", validation_alias="LIVEWATCH_HOST")
    port: int = Field(8080, ge=0, le=65535, validation_alias="LIVEWATCH_PORT")
    data: Path = Field(Path(".livewatch"), validation_alias="LIVEWATCH_DATA")
    demo_scan: bool = Field(True, validation_alias="LIVEWATCH_DEMO_SCAN")
    feed: FeedKind = Field(FeedKind.BROADCAST, validation_alias="LIVEWATCH_FEED")
    realtime_client: ClientKind = Field(ClientKind.QUICK, validation_alias="LIVEWATCH_REALTIME_CLIENT")
    ingest_rate: float = Field(100.0, gt=0, validation_alias="LIVEWATCH_INGEST_RATE")
    ingest_burst: int = Field(200, ge=1, validation_alias="LIVEWATCH_INGEST_BURST")
    plan: Plan = Field(Plan.FREE, validation_alias="LIVEWATCH_PLAN")
    supabase_url: AnyHttpUrl | None = Field(None, validation_alias="SUPABASE_URL")
    supabase_anon_key: SecretStr | None = Field(None, validation_alias="SUPABASE_ANON_KEY")
    supabase_secret_key: SecretStr | None = Field(None, validation_alias="SUPABASE_SECRET_KEY")
    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    hosts: str = Field("", validation_alias="LIVEWATCH_HOSTS")
    demo: bool = Field(True, validation_alias="LIVEWATCH_DEMO")
    root_path: str = Field("", validation_alias="LIVEWATCH_ROOT_PATH")
    trusted_proxies: str = Field("", validation_alias="LIVEWATCH_TRUSTED_PROXIES")
    public_url: AnyHttpUrl | None = Field(None, validation_alias="LIVEWATCH_PUBLIC_URL")
    smtp_url: SecretStr | None = Field(None, validation_alias="LIVEWATCH_SMTP_URL")
    channel_secret: SecretStr | None = Field(None, min_length=32, validation_alias="LIVEWATCH_CHANNEL_SECRET")
    private_channels: bool = Field(False, validation_alias="LIVEWATCH_PRIVATE_CHANNELS")
    sign_up: SignUp = Field(SignUp.INVITED, validation_alias="LIVEWATCH_SIGN_UP")
    metrics_token: SecretStr | None = Field(None, validation_alias="LIVEWATCH_METRICS_TOKEN")
    cookie_secret: SecretStr | None = Field(None, min_length=32, validation_alias="LIVEWATCH_COOKIE_SECRET")
    vapid_key: SecretStr | None = Field(None, validation_alias="LIVEWATCH_VAPID_KEY")
    push_contact: str = Field("", pattern=r"^(mailto:\S+@\S+|https://\S+)?$", validation_alias="LIVEWATCH_PUSH_CONTACT")
    log_format: LogFormat = Field(LogFormat.AUTO, validation_alias="LIVEWATCH_LOG")
    email: str | None = Field(None, validation_alias="LIVEWATCH_EMAIL")
    password: SecretStr | None = Field(None, validation_alias="LIVEWATCH_PASSWORD")

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        values = (self.supabase_url, self.supabase_anon_key, self.database_url)
        missing = [name for name, value in zip(HOSTED_VARIABLES, values, strict=True) if value is None]
        if missing and len(missing) < len(HOSTED_VARIABLES):
            raise ValueError(
                f"{', '.join(missing)} must be set too: a Supabase project needs all of {', '.join(HOSTED_VARIABLES)}; "
                "unset all three to run the local Supabase"
            )
        return self

    @model_validator(mode="after")
    def _fits_the_backend(self) -> Self:
        if self.is_embedded and self.oidc_provider and not self.oidc_issuer:
            raise ValueError(
                "LIVEWATCH_OIDC_ISSUER and LIVEWATCH_OIDC_CLIENT_ID must be set with LIVEWATCH_OIDC_PROVIDER: the "
                "local Supabase needs them"
            )
        if not self.is_embedded and self.oidc_issuer and not self.oidc_provider:
            raise ValueError(
                "LIVEWATCH_OIDC_PROVIDER must be set in place of LIVEWATCH_OIDC_ISSUER: the settings of the Supabase "
                "project have the issuer"
            )
        return self

    @field_validator("root_path")
    @classmethod
    def _is_a_free_path(cls, value: str) -> str:
        path = value.rstrip("/")
        if not ROOT_PATH.fullmatch(path):
            raise ValueError(f"{value!r} is not a path like /watch")
        if is_own_path(path):
            raise ValueError(
                f"{value!r} begins like a path of the app itself; use another one, for instance /watch{path}"
            )
        return path

    @field_validator("smtp_url")
    @classmethod
    def _is_a_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            SmtpServer.parse(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _are_names(self) -> Self:
        for each in self.allowed_hosts:
            if not HOST_NAME.fullmatch(each):
                raise ValueError(
                    f"LIVEWATCH_HOSTS contains {each!r}, which is not a name like watch.example.org or *.example.org, "
                    "without scheme and port"
                )
        return self

    @model_validator(mode="after")
    def _are_addresses(self) -> Self:
        for each in self.proxies:
            try:
                ip_network(each, strict=False)
            except ValueError as error:
                raise ValueError(
                    f"LIVEWATCH_TRUSTED_PROXIES contains {each!r}, which is not an IP address or CIDR network"
                ) from error
        return self

    @property
    def proxies(self) -> list[str]:
        """Trusted reverse proxies (IPs or CIDRs) for `X-Forwarded-*`."""
        return [each.strip() for each in self.trusted_proxies.split(",") if each.strip()]

    @property
    def allowed_hosts(self) -> list[str]:
        """Names under which browsers and programs reach the app; `*.example.org` is every name below."""
        return [each.strip() for each in self.hosts.split(",") if each.strip()]

    @property
    def is_embedded(self) -> bool:
        """Whether the app starts its own local Supabase."""
        return self.supabase_url is None


def read_settings() -> Settings:
    """Read the settings from the environment; raises ConfigurationError that lists every problem."""
    try:
        return Settings()
    except ValidationError as error:
        problems = []
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"])
            problems.append(f"{name}: {problem['msg']}" if name else problem["msg"])
        raise ConfigurationError("Invalid settings: " + "; ".join(problems) + ".") from error
