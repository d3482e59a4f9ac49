"""Sealing: addresses of channels are secrets, encrypted before they are stored."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr

from services.errors import ConfigurationError


class Sealer:
    """Encrypts and decrypts by one secret, of any length, with authenticated encryption (Fernet)."""

    def __init__(self, secret: SecretStr) -> None:
        digest = hashlib.sha256(b"livewatch channels\0" + secret.get_secret_value().encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(digest))

    def seal(self, text: SecretStr) -> str:
        """Return the encrypted text."""
        return self._fernet.encrypt(text.get_secret_value().encode()).decode()

    def open(self, sealed: str) -> SecretStr:
        """Return the text; raises ConfigurationError if it was sealed with another secret."""
        try:
            return SecretStr(self._fernet.decrypt(sealed.encode()).decode())
        except InvalidToken as error:
            raise ConfigurationError(
                "The channel's address cannot be read: it was saved under another LIVEWATCH_CHANNEL_SECRET. "
                "Enter the address again."
            ) from error
