"""Reading as a key: pages of every entity, and the logs, progress and comments of runs."""

from services.reading.addresses import find_stream
from services.reading.details import RUN_PARTS, RunPart, read_part
from services.reading.pages import Page, read_page, read_row
from services.reading.questions import MAX_LIMIT, Question
from services.reading.resources import RESOURCES, Resource

__all__ = [
    "MAX_LIMIT",
    "RESOURCES",
    "RUN_PARTS",
    "Page",
    "Question",
    "Resource",
    "RunPart",
    "find_stream",
    "read_page",
    "read_part",
    "read_row",
]
