"""How accounts come about and are reached: who may sign up, and whether mails are sent."""

from dataclasses import dataclass

from services.settings import SignUp


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOptions:
    """Options of accounts.

    Args:
        sign_up: Who may make an account.
        sends_mail: Whether the Auth server sends mails, such as links for a new password.
        address: URL at which people reach the app, with which the links in mails begin; never taken from a request,
            whose sender chooses it.
    """

    sign_up: SignUp
    sends_mail: bool
    address: str
