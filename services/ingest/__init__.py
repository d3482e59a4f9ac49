"""Ingest of reports from client programs: keys, rate limits, operations and the event stream."""

from services.ingest.event_stream import EventStream, EventStreamHub, is_remembered
from services.ingest.keys import ApiKeyVerifier, IngestKey
from services.ingest.operations import REPORTING, Code, KeyScope, Operation, Target, Verb
from services.ingest.reports import Answer, Ingest, Outcome
from services.ingest.run_changes import RunChange, decode_position, encode_position
from services.ingest.timing import Timing

__all__ = [
    "REPORTING",
    "Answer",
    "ApiKeyVerifier",
    "Code",
    "EventStream",
    "EventStreamHub",
    "Ingest",
    "IngestKey",
    "KeyScope",
    "Operation",
    "Outcome",
    "RunChange",
    "Target",
    "Timing",
    "Verb",
    "decode_position",
    "encode_position",
    "is_remembered",
]
