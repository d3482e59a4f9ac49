"""The ingest keys of an organisation, with a way to revoke each."""

from collections.abc import Callable, Sequence

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from components.presentation.rows import epoch_ms
from components.window.scripts import SHARED_JS
from services.ingest.administration import KeyEntry


class KeyList(Element, component="key_list.js", dependencies=[SHARED_JS]):
    """Skeletons until the first `show`; emits `revoke` with an id, which comes from the browser and may be anything."""

    def __init__(self) -> None:
        super().__init__()
        self.props["keys"] = None

    def show(self, keys: Sequence[KeyEntry]) -> None:
        """Show these, in their order."""
        self.props["keys"] = [
            {
                "id": str(key.id),
                "name": key.name,
                "public_id": key.public_id,
                "scopes": [scope.value for scope in key.scopes],
                "made_by": key.made_by,
                "created_at": epoch_ms(key.created_at),
                "last_used_at": epoch_ms(key.last_used_at),
                "revoked_at": epoch_ms(key.revoked_at),
            }
            for key in keys
        ]

    def on_revoke(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the id of the key that a person wants to end."""

        def revoked(event: GenericEventArguments) -> object:
            return handler(str(event.args))

        self.on("revoke", revoked)
