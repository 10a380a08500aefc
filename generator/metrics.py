"""What the injector tells Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from generator.pacing import Pacer
from generator.writer import Tally

TALLY = {
    "sent": "records that the injector has sent",
    "acknowledged": "records that the broker has acknowledged",
    "failed": "records that the broker has not acknowledged, and that are given up",
}


class Progress(Collector):
    """How far a run is, whenever it is asked for."""

    def __init__(self, tally: Tally, pacer: Pacer) -> None:
        self._tally, self._pacer = tally, pacer

    def collect(self) -> Iterator[Metric]:
        for name, help in TALLY.items():
            yield CounterMetricFamily(
                f"leaderboard_injector_{name}", help, getattr(self._tally, name)
            )
        behind = self._pacer.behind_seconds
        yield GaugeMetricFamily(
            "leaderboard_injector_behind_seconds",
            "seconds by which the latest record was overdue",
            behind,
        )


def serve(address: str, port: int, tally: Tally, pacer: Pacer) -> None:
    """Answer Prometheus in the background. Raises OSError when the port is taken."""
    registry = CollectorRegistry()
    registry.register(Progress(tally, pacer))
    start_http_server(port, address, registry)
