"""Realtime limits of the hosted Supabase plans."""

from dataclasses import dataclass
from enum import StrEnum


class Plan(StrEnum):
    """A Supabase plan; the local Supabase applies the limits of the free plan."""

    FREE = "free"
    PRO = "pro"
    PRO_UNCAPPED = "pro-uncapped"
    TEAM = "team"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimits:
    """Limits of a plan. Source: https://supabase.com/docs/guides/realtime/limits

    Args:
        connections: Maximum concurrent connections.
        messages_per_second: Maximum average rate; each delivery to a client counts as one message.
        channels_per_connection: Maximum concurrent channels of one connection.
    """

    connections: int
    messages_per_second: int
    channels_per_connection: int = 100


_LARGE = PlanLimits(connections=10_000, messages_per_second=2_500)
PLAN_LIMITS: dict[Plan, PlanLimits] = {
    Plan.FREE: PlanLimits(connections=200, messages_per_second=100),
    Plan.PRO: PlanLimits(connections=500, messages_per_second=500),
    Plan.PRO_UNCAPPED: _LARGE,
    Plan.TEAM: _LARGE,
    Plan.ENTERPRISE: _LARGE,
}
