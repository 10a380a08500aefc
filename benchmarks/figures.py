"""The benchmark's arithmetic: percentiles, delays of markers, and the line through costs."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

PERCENTILES = {"p50": 50, "p95": 95, "p99": 99, "p99.9": 99.9, "p100": 100}  # in per cent


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed (nearest rank).

    Raises ValueError without values.
    """
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """The usual percentiles of times, in milliseconds. Raises ValueError without values."""
    return {name: round(1000 * percentile(seconds, each), 1) for name, each in PERCENTILES.items()}


def delays(sent: Sequence[tuple[int, float]], read: Sequence[tuple[float, int]]) -> list[float]:
    """How long after each event a total that contains it was read first; infinite when never.

    `sent` are totals and when they were reached, `read` are times and totals then, each in the
    order of time.
    """
    highest = list(accumulate((total for _, total in read), max))
    found = []
    for total, at in sent:
        place = bisect_left(highest, total)
        found.append(read[place][0] - at if place < len(read) else math.inf)
    return found


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Intercept and slope of the straight line through points by least squares.

    Raises ValueError for fewer than two different x.
    """
    if len({x for x, _ in points}) < 2:
        raise ValueError("a line needs two points")
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    covariance = sum((x - mean_x) * (y - mean_y) for x, y in points)
    slope = covariance / sum((x - mean_x) ** 2 for x, _ in points)
    return mean_y - slope * mean_x, slope
