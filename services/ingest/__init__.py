"""Reports from people's own programs: keys, limits, and the operations that they may ask for."""

from services.ingest.event_stream import RunChange, Tail, Tails
from services.ingest.keys import IngestKey, KeyRing
from services.ingest.limits import Limits
from services.ingest.operations import Code, KeyScope, Operation, Target, Verb
from services.ingest.reports import Answer, Ingest, Outcome

__all__ = [
    "Answer",
    "Code",
    "Ingest",
    "IngestKey",
    "KeyRing",
    "KeyScope",
    "Limits",
    "Operation",
    "Outcome",
    "RunChange",
    "Tail",
    "Tails",
    "Target",
    "Verb",
]
