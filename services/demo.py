"""The demo of the local Supabase: a user, an organisation, and real work to watch."""

import structlog

from services.auth import Auth, Tokens
from services.backend import Account
from services.database import Database
from services.errors import LivewatchError
from services.example_scan import ExampleScan
from services.organizations import create_organization, memberships

logger = structlog.get_logger(__name__)

ORGANIZATION = "Demo organisation"


class Demo:
    """Opens sessions of the demo user, who gets an organisation at the first one."""

    def __init__(self, user: Account, *, auth: Auth, database: Database) -> None:
        self._user = user
        self._auth = auth
        self._database = database

    async def enter(self) -> Tokens:
        """A fresh session of the demo user; raises what Auth.sign_in raises."""
        tokens = await self._auth.sign_in(self._user.email, self._user.password)
        if not await memberships(self._database, tokens.identity):
            await create_organization(self._database, tokens.identity, ORGANIZATION)
        return tokens

    async def start_work(self, scan: ExampleScan) -> None:
        """Start the example scan as the demo user; a failure is logged, since the app is of use without it."""
        try:
            identity = (await self.enter()).identity
            await scan.start(identity, (await memberships(self._database, identity))[0].org_id)
        except (LivewatchError, OSError) as error:
            logger.warning("the example scan was not started", cause=str(error))
