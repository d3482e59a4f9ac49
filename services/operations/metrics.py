"""Metrics of this process in the Prometheus text format, computed on each request."""

from collections.abc import Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from services.entities import ConnectionStatus
from services.ingest import Ingest
from services.realtime import RealtimeService
from services.realtime.meter import LAG_BOUNDS


class Windows(Protocol):
    """Open windows of the process."""

    frames_sent: int

    def __len__(self) -> int:
        """Return the number of open windows."""


class Metrics:
    """Process-wide totals without data about users or organisations; the HTTP route restricts access."""

    def __init__(self, realtime: RealtimeService, windows: Windows, ingest: Ingest) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Livewatch(realtime, windows, ingest))
        for collector in (ProcessCollector, GCCollector, PlatformCollector):
            collector(registry=self._registry)

    def text(self) -> bytes:
        """Render the metrics in the exposition format 0.0.4."""
        return generate_latest(self._registry)


class _Livewatch(Collector):
    def __init__(self, realtime: RealtimeService, windows: Windows, ingest: Ingest) -> None:
        self._realtime = realtime
        self._windows = windows
        self._ingest = ingest

    def collect(self) -> Iterator[Metric]:
        totals = self._realtime.totals
        yield GaugeMetricFamily("livewatch_windows", "Open browser windows.", value=len(self._windows))
        feeds = GaugeMetricFamily("livewatch_feeds", "Feeds by connection status.", labels=["status"])
        statuses = [feed.status.status for feed in self._realtime.feeds()]
        for status in ConnectionStatus:
            feeds.add_metric([status.value], statuses.count(status))
        yield feeds
        yield GaugeMetricFamily(
            "livewatch_subscriptions", "Subscriptions on feeds.", value=len(self._realtime.active_subscriptions())
        )
        yield _counter("livewatch_events", "Events received from Realtime.", totals.events)
        yield _counter("livewatch_feed_losses", "Lost channels, after a successful join.", totals.losses)
        yield _counter("livewatch_missed_probes", "Probes that timed out.", totals.missed_probes)
        yield _counter("livewatch_quarantined_rows", "Rows that failed validation.", totals.quarantined)
        yield _counter("livewatch_frames", "Messages with changes sent to windows.", self._windows.frames_sent)
        yield _histogram(totals.lags, totals.lag_seconds)
        ingest = CounterMetricFamily(
            "livewatch_ingest", "Ingest API operations by target and result.", labels=["target", "result"]
        )
        for labels, count in sorted(self._ingest.counts.items()):
            ingest.add_metric(labels, count)
        yield ingest


def _counter(name: str, about: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, about, value=value)


def _histogram(counts: list[int], total: float) -> HistogramMetricFamily:
    cumulative = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip([*map(str, LAG_BOUNDS), "+Inf"], counts, strict=True):
        cumulative += count
        buckets.append((bound, cumulative))
    return HistogramMetricFamily(
        "livewatch_lag_seconds",
        "Latency from the database to a feed, measured by probes.",
        buckets=buckets,
        sum_value=total,
    )
