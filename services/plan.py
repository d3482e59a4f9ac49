"""What the Realtime plans of hosted Supabase allow."""

from dataclasses import dataclass
from enum import StrEnum


class Plan(StrEnum):
    """A plan by its name; a local Supabase keeps to the limits of the free one."""

    FREE = "free"
    PRO = "pro"
    PRO_UNCAPPED = "pro-uncapped"
    TEAM = "team"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimits:
    """Connections and channels at a time; messages (each delivery is one) a second, averaged.

    Source: https://supabase.com/docs/guides/realtime/limits
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
