"""Routing of the URL's path to content, inside the frame or inside a page."""

import structlog
from nicegui import ui

from components.shell.feedback import error_panel, not_found_panel

logger = structlog.get_logger(__name__)


class Routes(ui.sub_pages):
    """`ui.sub_pages` with the app's own panels for unknown paths and failed pages."""

    def _render_404(self) -> None:
        not_found_panel("Page not found", f"There is no page at {self._router.current_path}.")

    def _render_error(self, error: Exception) -> None:
        logger.error("page failed", path=self._router.current_path, exc_info=error)
        error_panel("This page failed", "The cause is in the app's log. Reload to try again.")
