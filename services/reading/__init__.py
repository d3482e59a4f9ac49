"""Reading as a key: pages of every entity, and the logs, progress and comments of runs."""

from services.reading.addresses import find_stream
from services.reading.details import RUN_PARTS, RunPart, read_part
from services.reading.handling import MAX_NOTE, HandlingByKey, handle_run
from services.reading.log_lines import LOG_PARAMETERS, search_lines
from services.reading.pages import Page, read_page, read_row
from services.reading.questions import MAX_LIMIT, Question
from services.reading.resources import RESOURCES, Resource

__all__ = [
    "LOG_PARAMETERS",
    "MAX_LIMIT",
    "MAX_NOTE",
    "RESOURCES",
    "RUN_PARTS",
    "HandlingByKey",
    "Page",
    "Question",
    "Resource",
    "RunPart",
    "find_stream",
    "handle_run",
    "read_page",
    "read_part",
    "read_row",
    "search_lines",
]
