"""The contract between a parent process and its child: options, command line, environment and reported steps."""

import json
import os
import site
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Self

START_TIMEOUT_SECONDS = 180.0
STOP_TIMEOUT_SECONDS = 30.0
DEFAULT_TOKEN_LIFETIME_SECONDS = 3600
LOOPBACK = "127.0.0.1"
DEFAULT_SITE_URL = "http://localhost:3000"
JWT_SECRET_VARIABLE = "LOCAL_SUPABASE_JWT_SECRET"
SMTP_URL_VARIABLE = "LOCAL_SUPABASE_SMTP_URL"

OIDC_VARIABLE = "LOCAL_SUPABASE_OIDC"

_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcOptions:
    """An external OpenID Connect provider, see `local_supabase.auth.external.provider.ProviderSettings`."""

    name: str
    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    sign_up_domains: tuple[str, ...] = ()

    def to_environment(self) -> dict[str, str]:
        """Return the variables in which a child receives them: `LOCAL_SUPABASE_OIDC_ISSUER` and so on."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        texts = {name: value if isinstance(value, str) else " ".join(value) for name, value in values.items()}
        return {f"{OIDC_VARIABLE}_{name.upper()}": text for name, text in texts.items()}

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> "OidcOptions | None":
        """Return the options in the variables; None without an issuer."""
        found = {each.name: variables.get(f"{OIDC_VARIABLE}_{each.name.upper()}", "") for each in fields(cls)}
        if not found["issuer"]:
            return None
        return cls(
            name=found["name"].lower(),
            issuer=found["issuer"],
            client_id=found["client_id"],
            client_secret=found["client_secret"],
            scopes=tuple(found["scopes"].replace(",", " ").split()),
            sign_up_domains=tuple(found["sign_up_domains"].replace(",", " ").split()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to serve and where; paths are made absolute.

    Attributes:
        data: data directory, created if necessary.
        migrations: folder with `<timestamp>_name.sql` files; None for none.
        host: address to listen on.
        allowed_hosts: names under which clients reach the API, besides loopback names and addresses.
        port: port to listen on; 0 chooses a free one.
        user: e-mail address of a confirmed user to create on the first start.
        app_role: role of the migrations that gets a password, to log in.
        reset: delete the database, users and keys first.
        token_lifetime: lifetime of access tokens in seconds.
        site_url: address of the application, to which links of e-mails lead.
        jwt_secret: secret of tokens that the project signs itself (HS256), accepted besides those of Auth.
        external_url: address at which browsers reach Auth, with `/auth/v1`; None for the listen address.
        oidc: an external OpenID Connect provider; None for none.
        smtp_url: mail server, see `local_supabase.mail.smtp_url`; None to append mails to a file.
        mail_link: template of the links in mails; None for links to Auth itself.
        disable_signup: whether only the service role makes accounts.
        limits: Realtime limits by name, see `local_supabase.realtime.protocol.limits`.
    """

    data: Path
    migrations: Path | None = None
    host: str = LOOPBACK
    allowed_hosts: tuple[str, ...] = ()
    port: int = 0
    user: str | None = None
    app_role: str | None = None
    reset: bool = False
    token_lifetime: int = DEFAULT_TOKEN_LIFETIME_SECONDS
    site_url: str = DEFAULT_SITE_URL
    jwt_secret: str | None = field(default=None, repr=False)
    external_url: str | None = None
    oidc: OidcOptions | None = None
    smtp_url: str | None = field(default=None, repr=False)
    mail_link: str | None = None
    disable_signup: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", self.data.expanduser().absolute())
        if self.migrations:
            object.__setattr__(self, "migrations", self.migrations.expanduser().absolute())

    def command(self) -> list[str]:
        """Return the command that serves these options, reports steps as JSON and stops with its parent."""
        # -P keeps the current directory, whatever it holds, out of the child's module search path.
        command = [sys.executable, "-P", "-m", "local_supabase", "--data", str(self.data)]
        command += ["--migrations", str(self.migrations)] if self.migrations else []
        command += ["--host", self.host, "--port", str(self.port), "--events", "--die-with-parent"]
        command += [part for name in self.allowed_hosts for part in ("--allowed-host", name)]
        command += ["--user", self.user] if self.user else []
        command += ["--app-role", self.app_role] if self.app_role else []
        command += ["--token-lifetime", str(self.token_lifetime), "--site-url", self.site_url]
        command += ["--external-url", self.external_url] if self.external_url else []
        command += ["--mail-link", self.mail_link] if self.mail_link else []
        command += ["--disable-signup"] if self.disable_signup else []
        command += [part for name, value in self.limits.items() for part in ("--limit", f"{name}={value}")]
        return [*command, "--reset"] if self.reset else command


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A finished step of the start: `postgres`, `migrations`, `auth`, `realtime`, `ready`; or `error`."""

    name: str
    seconds: float
    """Time since the child started."""
    text: str

    def to_json(self) -> str:
        """Return the line that the child prints."""
        event: dict[str, object] = {"step": self.name, "seconds": round(self.seconds, 3), "text": self.text}
        if self.name == "ready":
            event["api_url"] = self.text
        return json.dumps(event)

    @classmethod
    def parse(cls, line: bytes) -> Self | None:
        """Return the step of a line of output, None if the line holds none."""
        try:
            event = json.loads(line)
            return cls(name=str(event["step"]), seconds=float(event["seconds"]), text=str(event["text"]))
        except (ValueError, KeyError, TypeError):
            return None


def environment(options: Options) -> dict[str, str]:
    """Return an environment in which the child imports the same `local_supabase` as this process, with its secrets.

    Other users of the machine can read a command line, but not an environment.
    """
    variables = dict(os.environ)
    variables = {name: value for name, value in variables.items() if not name.startswith(f"{OIDC_VARIABLE}_")}
    variables |= options.oidc.to_environment() if options.oidc else {}
    for name, secret in {JWT_SECRET_VARIABLE: options.jwt_secret, SMTP_URL_VARIABLE: options.smtp_url}.items():
        variables.pop(name, None)
        if secret:
            variables[name] = secret
    # Not for an installed package: its folder would come before the standard library.
    if _ROOT not in [Path(folder).resolve() for folder in site.getsitepackages()]:
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), variables.get("PYTHONPATH")]))
    return variables
