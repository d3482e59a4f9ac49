"""List of an organisation's ingest keys, each with buttons that replace and revoke it."""

from collections.abc import Callable, Sequence

from components.presentation.time import epoch_ms
from components.window.live_element import ScriptedElement
from services.ingest.administration import KeyEntry


class KeyList(ScriptedElement, component="key_list.js"):
    """List of keys, with placeholders until the first `show`.

    Emits `revoke` and `replace` with an id, which is not trusted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.props["keys"] = None

    def show(self, keys: Sequence[KeyEntry]) -> None:
        """Show these keys in the given order."""
        self.props["keys"] = [
            {
                "id": str(key.id),
                "name": key.name,
                "public_id": key.public_id,
                "scopes": ", ".join(key.scopes),
                "created_by": key.created_by,
                "created_at": epoch_ms(key.created_at),
                "last_used_at": epoch_ms(key.last_used_at),
                "last_used_address": key.last_used_address,
                "expires_at": epoch_ms(key.expires_at),
                "revoked_at": epoch_ms(key.revoked_at),
            }
            for key in keys
        ]

    def on_revoke(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the id of the key that the user wants to revoke; the id is not trusted."""

        self.on("revoke", lambda event: handler(str(event.args)))

    def on_replace(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the id of the key that the user wants to replace; the id is not trusted."""
        self.on("replace", lambda event: handler(str(event.args)))
