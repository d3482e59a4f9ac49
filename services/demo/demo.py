"""The demo of the local Supabase: a user, an organisation, and real work to watch."""

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
    """Opens sessions of the demo user, who gets an organisation at the first one, and a `scan` to watch if given.

    The scan takes seconds, so it waits for the first who enters: they see it from its beginning.
    """

    def __init__(self, user: Account, *, auth: Auth, database: Database, scan: ExampleScan | None = None) -> None:
        self._user = user
        self._auth = auth
        self._database = database
        self._scan = scan

    async def enter(self) -> Tokens:
        """A fresh session of the demo user; raises what Auth.sign_in raises."""
        tokens = await self._auth.sign_in(self._user.email, self._user.password)
        ours = await memberships(self._database, tokens.identity)
        org_id = ours[0].org_id if ours else await create_organization(self._database, tokens.identity, ORGANIZATION)
        scan, self._scan = self._scan, None
        if scan:
            try:
                await scan.start(tokens.identity, org_id)
            except (LivewatchError, OSError) as error:
                # The app is of use without it.
                logger.warning("the example scan was not started", cause=str(error))
        return tokens
