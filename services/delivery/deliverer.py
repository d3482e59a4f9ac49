"""Deliverer: takes what waits in the outbox to its channels; every process does, each delivery by one of them."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

import httpx
import structlog
from pydantic import SecretStr

from services.delivery.channel_kind import ChannelKind
from services.delivery.couriers.mail import send_mails
from services.delivery.couriers.providers import send_to_provider
from services.delivery.couriers.webhook import send_webhook
from services.delivery.message import Answer, Message
from services.delivery.outbox import CLAIM_SECONDS, Delivery, claim, note
from services.delivery.sealing import Sealer
from services.errors import AddressRefused, ConfigurationError, LivewatchError
from services.infra.database import Database
from services.infra.tasks.periodic import PeriodicTask
from services.mail.mailer import MailService

logger = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
MAX_AT_ONCE = 16
NOBODY: Mapping[str, str] = MappingProxyType({})
TRY_SECONDS = 45.0
"""Longest try; less than the time of a claim, so that nobody else tries meanwhile."""


class Couriers:
    """The couriers of all kinds of channels.

    Args:
        sealer: Opens the addresses of channels.
        mail: The app's mail service; None without one.
        allow_private: Whether messages may go to private networks.
        transport: In the place of the network of providers, for tests.
    """

    def __init__(
        self,
        sealer: Sealer,
        mail: MailService | None,
        *,
        allow_private: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._sealer = sealer
        self._mail = mail
        self._allow_private = allow_private
        self._transport = transport

    async def send(
        self,
        kind: ChannelKind,
        sealed: str,
        delivery_id: str,
        message: Message,
        *,
        settled: Mapping[str, str] = NOBODY,
    ) -> Answer:
        """Send a message to the recipients of a channel that earlier tries have not settled; never raises."""
        try:
            async with asyncio.timeout(TRY_SECONDS):
                return await self._send(kind, self._sealer.open(sealed), delivery_id, message, settled)
        except TimeoutError:
            return Answer(is_delivered=False, text=f"No answer within {TRY_SECONDS:.0f} s.")
        except AddressRefused as error:
            return Answer(is_delivered=False, text=str(error), is_final=error.is_final)
        except ConfigurationError as error:
            return Answer(is_delivered=False, text=str(error), is_final=True)
        except Exception:
            # What one channel's answer breaks, the others do not notice.
            logger.exception("channel failed", kind=kind)
            return Answer(is_delivered=False, text="The message could not be sent; the app's log says why.")

    async def _send(
        self, kind: ChannelKind, address: SecretStr, delivery_id: str, message: Message, settled: Mapping[str, str]
    ) -> Answer:
        target = address.get_secret_value()
        if kind is ChannelKind.WEBHOOK:
            secret, _, url = target.partition(" ")
            return await send_webhook(url, secret, delivery_id, message, allow_private=self._allow_private)
        if kind is ChannelKind.EMAIL:
            return await send_mails(self._mail, target, message, settled=settled)
        return await send_to_provider(
            kind, target, message, allow_private=self._allow_private, transport=self._transport
        )


class Deliverer(PeriodicTask):
    """Delivers what is due, at most `MAX_AT_ONCE` messages at a time, and at most four of a channel.

    Args:
        database: Where deliveries wait.
        couriers: Who takes them.
        interval: Seconds between two looks.
        claim_seconds: After which others may try what this process has not noted, since it may have died.
    """

    def __init__(
        self,
        database: Database,
        couriers: Couriers,
        *,
        interval: float = INTERVAL_SECONDS,
        claim_seconds: float = CLAIM_SECONDS,
    ) -> None:
        self._database = database
        self._claim_seconds = claim_seconds
        self._couriers = couriers
        self._under_way: set[asyncio.Task[None]] = set()
        super().__init__(self._begin, name="deliverer", interval=interval, failure="nothing was delivered")

    async def aclose(self) -> None:
        """Stop; what is under way is tried again by another process, or after the next start."""
        await super().aclose()
        for each in self._under_way:
            each.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _begin(self) -> None:
        while free := MAX_AT_ONCE - len(self._under_way):
            claimed = await claim(self._database, limit=free, seconds=self._claim_seconds)
            for each in claimed:
                task = asyncio.create_task(self._deliver(each), name="delivery")
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            if not claimed:
                break

    async def _deliver(self, delivery: Delivery) -> None:
        answer = await self._couriers.send(
            delivery.kind, delivery.sealed, str(delivery.id), delivery.message, settled=delivery.settled
        )
        log = logger.debug if answer.is_delivered else logger.info
        log("delivery tried", kind=delivery.kind, attempt=delivery.attempt, delivered=answer.is_delivered)
        try:
            await note(self._database, delivery.id, answer)
        except LivewatchError as error:
            # Its claim ends, and it is tried again: at least once.
            logger.warning("delivery not noted", delivery=str(delivery.id), cause=str(error))
