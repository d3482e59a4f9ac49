"""Artefacts that a run makes: tables, images, files and Markdown, shown on its page."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from livewatch.delivery.artefacts.content import (
    ArtefactRefusedError,
    artefact_name,
    checked,
    file_bytes,
    image_bytes,
    table_bytes,
)
from livewatch.delivery.artefacts.uploads import Upload

if TYPE_CHECKING:
    from livewatch.reporting.reporter import Reporter

logger = logging.getLogger("livewatch")


class Artefacts:
    """Sends artefacts of a run: at most 20 MiB each, 500 a run, and 5 GiB an organisation. No method raises.

    They wait in memory, not in the file of the queue: those that a process could not send before its exit are lost.
    One of the same name replaces an earlier one. What cannot be sent is left out, with a warning that says why.
    """

    name: str

    @property
    def reference(self) -> str:
        """Kind and slug of the run, as `streams/nightly`."""
        raise NotImplementedError

    def _open_reporter(self) -> Reporter | None:
        raise NotImplementedError

    def table(self, name: object, rows: Any, columns: Iterable[object] | None = None) -> None:
        """Show a table of at most 100,000 cells.

        Args:
            name: Name of the artefact.
            rows: Rows, as sequences of cells or as mappings by column; or a data frame of pandas.
            columns: Names of the columns; those of the first mapping or of the data frame by default.
        """
        self._send(name, "table", lambda: table_bytes(rows, columns))

    def image(self, name: object, source: Any) -> None:
        """Show an image.

        Args:
            name: Name of the artefact.
            source: Path or bytes of a PNG, JPEG, GIF or WebP; or an image of Pillow or a figure of Matplotlib.
        """
        self._send(name, "image", lambda: image_bytes(source))

    def file(self, path: Any, name: object = None) -> None:
        """Offer a file for download, under its own name by default; its content is read now."""
        self._send(_base_name(path) if name is None else name, "file", lambda: file_bytes(path))

    def markdown(self, name: object, text: object) -> None:
        """Show a text with Markdown; HTML in it stays text."""
        self._send(name, "markdown", lambda: str(text).encode("utf-8", "replace"))

    def _send(self, name: object, kind: str, content: Callable[[], bytes]) -> None:
        reporter = self._open_reporter()
        if reporter is None:
            return
        try:
            reporter.upload(Upload(self.reference, artefact_name(name), kind, checked(content(), kind)))
        except ArtefactRefusedError as reason:
            logger.warning(
                "Livewatch: the %s %r of %s is left out: %s.", kind, artefact_name(name)[:60], self.name, reason
            )
        except Exception as error:
            logger.warning(
                "Livewatch: the %s of %s is left out: %s.", kind, self.name, f"{type(error).__name__}: {error}"[:200]
            )


def _base_name(path: Any) -> str:
    try:
        return os.path.basename(os.fsdecode(path))
    except (TypeError, ValueError):
        return "file"
