"""Demo of the local Supabase: a user, an organisation, and a real scan to monitor."""

import structlog

from services.auth.client import Auth, Tokens
from services.demo.example_scan import ExampleScan
from services.errors import LivewatchError
from services.infra.backend import Account
from services.infra.database import Database
from services.people.organizations import create_organization, memberships

logger = structlog.get_logger(__name__)

ORGANIZATION = "Demo organisation"


class Demo:
    """Opens sessions of the demo user; the first one creates the user's organisation and starts the scan.

    The scan takes only seconds, so that it starts with the first session rather than with the app.

    Args:
        user: The demo user.
        auth: Client of the Auth server.
        database: Where the organisation is created.
        scan: The example scan; None starts no scan.
    """

    def __init__(self, user: Account, *, auth: Auth, database: Database, scan: ExampleScan | None = None) -> None:
        self._user = user
        self._auth = auth
        self._database = database
        self._scan = scan

    async def enter(self) -> Tokens:
        """Open a session of the demo user; raises the errors of `Auth.sign_in`."""
        tokens = await self._auth.sign_in(self._user.email, self._user.password)
        ours = await memberships(self._database, tokens.identity)
        org_id = ours[0].org_id if ours else await create_organization(self._database, tokens.identity, ORGANIZATION)
        scan, self._scan = self._scan, None
        if scan:
            try:
                await scan.start(tokens.identity, org_id)
            except (LivewatchError, OSError) as error:
                # The demo works without the scan.
                logger.warning("example scan failed to start", cause=str(error))
        return tokens
