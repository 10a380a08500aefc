"""What the injector tells Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from generator.pacing import Pacer
from generator.writer import Tally


class Progress(Collector):
    """How far a run is, whenever it is asked for."""

    def __init__(self, tally: Tally, pacer: Pacer) -> None:
        self._tally, self._pacer = tally, pacer

    def collect(self) -> Iterator[Metric]:
        for name in ("sent", "acknowledged", "failed"):
            yield CounterMetricFamily(
                f"leaderboard_injector_{name}", f"records {name}", getattr(self._tally, name)
            )
        behind = self._pacer.behind_seconds
        yield GaugeMetricFamily(
            "leaderboard_injector_behind_seconds", "how overdue the latest record was", behind
        )


def serve(address: str, port: int, tally: Tally, pacer: Pacer) -> None:
    """Answer Prometheus in the background. Raises OSError when the port is taken."""
    registry = CollectorRegistry()
    registry.register(Progress(tally, pacer))
    start_http_server(port, address, registry)
