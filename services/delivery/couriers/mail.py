"""E-mail: one mail to each address of a channel, through the SMTP server of the app."""

from services.delivery.channel_kind import mail_addresses
from services.delivery.message import Answer, Message
from services.errors import MailNotSent
from services.mail.mailer import Mail, MailService


async def send_mails(mail: MailService | None, addresses: str, message: Message) -> Answer:
    """Send a message to all addresses; it counts as delivered once the server has accepted one of the mails."""
    if mail is None:
        return Answer(
            is_delivered=False,
            text="There is no SMTP server: set LIVEWATCH_SMTP_URL and restart the app.",
            is_final=True,
        )
    refusals = []
    recipients = mail_addresses(addresses)
    for each in recipients:
        try:
            await mail.send(
                Mail(
                    to=each,
                    subject=message.title,
                    paragraphs=message.text.splitlines() or [message.title],
                    action=("Open", message.url) if message.url else None,
                    closing=[f"Sent by the rule “{message.rule}”."] if message.rule else [],
                )
            )
        except MailNotSent as error:
            refusals.append(str(error))
    if len(refusals) == len(recipients):
        return Answer(is_delivered=False, text=refusals[0])
    accepted = len(recipients) - len(refusals)
    return Answer(is_delivered=True, text=" ".join([f"Accepted for {accepted} of {len(recipients)}.", *refusals[:1]]))
