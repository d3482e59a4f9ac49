"""Row presenters return only JSON values."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from components.presentation.rows import (
    present_agent,
    present_alert,
    present_notification,
    present_scan,
    present_stream,
    quality_target,
    safe_url,
)
from components.presentation.time import epoch_ms
from services.entities import (
    AcquisitionScan,
    AgentExecution,
    AgentStatus,
    AlertStatus,
    GoalStatus,
    Notification,
    NotificationType,
    Priority,
    ScanStatus,
    SignalAlert,
    Stream,
)

ID = UUID(int=1)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
NOON_MS = 1793534400000


def test_a_stream_is_shown_with_its_numbers_and_the_value_of_its_status() -> None:
    shown = present_stream(
        Stream(
            org_id=ID,
            name="Coverage",
            goal_status=GoalStatus.ON_TRACK,
            completed=128,
            total=300,
            percentage=42.6,
            target_metrics={"quality_target": 0.95},
            updated_at=NOON,
        )
    )
    assert json.loads(json.dumps(shown)) == shown
    assert (shown["goal_status"], shown["completed"], shown["percentage"]) == ("on_track", 128, 42.6)
    assert shown["quality_target"] == "95%"
    assert shown["updated_at"] == NOON_MS


def test_a_stream_that_the_database_has_not_computed_yet_is_at_zero() -> None:
    assert present_stream(Stream(org_id=ID, name="New", total=9))["percentage"] == 0


def test_a_stream_without_a_total_has_no_percentage() -> None:
    for stream in (Stream(org_id=ID, name="New"), Stream(org_id=ID, name="Done", completed=7, percentage=0.0)):
        assert present_stream(stream)["percentage"] is None


def test_names_are_shown_without_characters_that_act_on_the_page() -> None:
    assert present_stream(Stream(org_id=ID, name="a\u202egnp.exe"))["name"] == "agnp.exe"
    assert present_stream(Stream(org_id=ID, name="\u200b"))["name"] == "(no visible name)"
    scan = AcquisitionScan(org_id=ID, name="s", steps=["\x1b[1mread\x1b[0m", "rank"], current_step="\x1b[1mread\x1b[0m")
    assert (present_scan(scan)["current_step"], present_scan(scan)["step"]) == ("read", 0)


def test_a_scan_knows_which_of_its_steps_is_the_current_one() -> None:
    scan = AcquisitionScan(
        org_id=ID,
        name="Scan",
        status=ScanStatus.ANALYZING,
        steps=["Identify", {"name": "Analyze"}, "Report"],
        current_step="Analyze",
    )
    shown = present_scan(scan)
    assert json.loads(json.dumps(shown)) == shown
    assert (shown["steps"], shown["step"]) == (["Identify", "Analyze", "Report"], 1)


def test_a_step_outside_of_the_steps_is_still_named() -> None:
    shown = present_scan(AcquisitionScan(org_id=ID, name="Scan", steps=["Identify"], current_step="Retry"))
    assert (shown["current_step"], shown["step"]) == ("Retry", None)


def test_an_agent_that_failed_says_why_first() -> None:
    run = AgentExecution(
        org_id=ID,
        stream_id=ID,
        agent_id="a",
        agent_name="A",
        status=AgentStatus.FAILED,
        output_summary="half",
        error="no licence",
    )
    shown = present_agent(run)
    assert json.loads(json.dumps(shown)) == shown
    assert shown["summary"] == "no licence"


@pytest.mark.parametrize(
    ("changes", "is_read"),
    [({}, False), ({"read_at": NOON}, True), ({"status": AlertStatus.ACKNOWLEDGED}, True)],
)
def test_an_alert_is_read_once_it_was_seen_or_acted_upon(changes: dict[str, Any], is_read: bool) -> None:
    alert = SignalAlert(
        org_id=ID, user_id=ID, target_name="T", signal_type="no_licence", signal_strength=91, priority=Priority.URGENT
    )
    for name, value in changes.items():
        setattr(alert, name, value)
    shown = present_alert(alert)
    assert json.loads(json.dumps(shown)) == shown
    assert (shown["is_read"], shown["priority"], shown["signal_type"]) == (is_read, "urgent", "no licence")


def test_a_notification_leads_only_to_pages() -> None:
    shown = present_notification(
        Notification(org_id=ID, user_id=ID, type=NotificationType.ERROR, title="Hm", action_url="javascript:alert(1)")
    )
    assert json.loads(json.dumps(shown)) == shown
    assert shown["action_url"] is None


@pytest.mark.parametrize("address", ["/streams/1?tab=a#b", "https://example.org/x", "HTTP://example.org"])
def test_paths_and_web_addresses_are_safe(address: str) -> None:
    assert safe_url(address) == address


@pytest.mark.parametrize(
    "address", ["//evil.example", "/\\evil.example", "javascript:alert(1)", " /x", "data:text/html,x", "x", "", None]
)
def test_everything_else_is_not(address: str | None) -> None:
    assert safe_url(address) is None


def test_times_are_the_same_instant_in_every_zone() -> None:
    assert epoch_ms(NOON) == epoch_ms(NOON.astimezone(timezone(timedelta(hours=5)))) == NOON_MS
    assert epoch_ms(None) is None


@pytest.mark.parametrize(
    ("metrics", "shown"),
    [
        ({}, None),
        ({"quality_target": 0.95}, "95%"),
        ({"quality": 92.5}, "92.5%"),
        ({"quality": 1}, "100%"),
        ({"quality": "≥ 90 %"}, "≥ 90 %"),
        ({"quality": True}, None),
        ({"quality": {"min": 3}}, None),
    ],
)
def test_the_quality_target_is_found_in_the_metrics(metrics: Mapping[str, Any], shown: str | None) -> None:
    assert quality_target(metrics) == shown
