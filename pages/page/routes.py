"""Content that follows the path of the browser, within the frame or within a page."""

import structlog
from nicegui import ui

from components.shell.feedback import error_panel, not_found_panel

logger = structlog.get_logger(__name__)


class Routes(ui.sub_pages):
    """As `ui.sub_pages`; an unknown path, and a page that fails, get a page of ours."""

    def _render_404(self) -> None:
        not_found_panel("There is no such page", f"Nothing is at {self._router.current_path}.")

    def _render_error(self, error: Exception) -> None:
        logger.error("a page failed", path=self._router.current_path, exc_info=error)
        error_panel("This page failed", "The log of the app has the reason. Reload to try again.")
