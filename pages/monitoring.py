"""/monitoring: everything that runs, in tabs."""

from nicegui import ui

from components.connection import MultiConnectionStatus
from components.live import live_connections, live_counts
from components.stats import Stat, StatGrid
from components.views import Counter
from pages.system import system_panel
from pages.visit import Visit, agent_list, alert_list, scan_list, stream_list
from services.entities import AGENTS, ALERTS, SCANS, STREAMS
from services.models import AgentStatus, GoalStatus, ScanStatus

TABS = {
    "streams": ("Streams", stream_list),
    "scans": ("Scans", scan_list),
    "agents": ("Agents", agent_list),
    "alerts": ("Alerts", alert_list),
    "system": ("System", system_panel),
}
ACTIVE_STREAMS = {GoalStatus.IN_PROGRESS, GoalStatus.ON_TRACK, GoalStatus.AT_RISK}
RUNNING_SCANS = {ScanStatus.SCANNING, ScanStatus.ANALYZING}
