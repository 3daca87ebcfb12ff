"""Prometheus series, right across worker processes, and percentiles read from them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

REQUEST_DURATION = "http_request_duration_seconds"
READING_RUNS = "nlu_runs"
READING_REFUSALS = "nlu_refusals"
_FIRST_S, _LAST_S, _RATIO = 0.0002, 30.0, 1.2


def duration_buckets() -> tuple[float, ...]:
    """Upper bounds in seconds, each 20% above the last: an interpolated percentile is within a tenth."""
    steps = math.ceil(math.log(_LAST_S / _FIRST_S, _RATIO))
    return tuple(float(f"{_FIRST_S * _RATIO**step:.4g}") for step in range(steps + 1))


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """What a set of requests took, from the histogram; milliseconds."""

    requests: int
    server_errors: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Metrics:
    """The process's series. With a multiprocess folder, reading sums every worker's."""

    def __init__(self, multiproc_dir: Path | None) -> None:
        self._multiproc_dir = multiproc_dir
        self._registry = CollectorRegistry()
        self._duration = Histogram(
            REQUEST_DURATION,
            "Seconds from the first byte of a request to the end of its response.",
            ("method", "route", "status"),
            buckets=duration_buckets(),
            registry=self._registry,
        )

        self._runs = Counter(
            READING_RUNS,
            "Texts by where the model's outputs came from: the hit rate is cache / (cache + model).",
            ("source",),
            registry=self._registry,
        )
        self._refusals = Counter(
            READING_REFUSALS, "Texts refused because as many wait to be read as may.", registry=self._registry
        )

    def observe_run(self, source: str) -> None:
        """Count one text whose outputs came from the "cache" or from the "model"."""
        self._runs.labels(source).inc()

    def observe_refusal(self) -> None:
        """Count one text that was refused unread."""
        self._refusals.inc()

    def observe_request(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Count one finished request."""
        self._duration.labels(method, route, str(status)).observe(duration_s)

    def exposition(self) -> bytes:
        """The Prometheus text format, over all workers."""
        return generate_latest(self._collector())

    def latency_by_route(self) -> dict[str, LatencySummary]:
        """A summary for every route, and for all requests under the name "all"."""
        counts: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
        errors: dict[str, float] = defaultdict(float)
        for metric in self._collect():
            for sample in metric.samples:
                if sample.name == f"{REQUEST_DURATION}_bucket":
                    for name in (sample.labels["route"], "all"):
                        counts[name][float(sample.labels["le"])] += sample.value
                elif sample.name == f"{REQUEST_DURATION}_count" and sample.labels["status"].startswith("5"):
                    for name in (sample.labels["route"], "all"):
                        errors[name] += sample.value
        return {name: _summary(buckets, errors[name]) for name, buckets in counts.items()}

    def _collector(self) -> CollectorRegistry:
        if self._multiproc_dir is None:
            return self._registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._multiproc_dir))  # type: ignore[no-untyped-call]
        return registry

    def _collect(self) -> Iterable[Metric]:
        return [metric for metric in self._collector().collect() if metric.name == REQUEST_DURATION]


def _summary(cumulative: dict[float, float], errors: float) -> LatencySummary:
    bounds = sorted(cumulative)
    total = cumulative[bounds[-1]]
    return LatencySummary(
        requests=int(total),
        server_errors=int(errors),
        p50_ms=_quantile(cumulative, bounds, total, 0.50),
        p95_ms=_quantile(cumulative, bounds, total, 0.95),
        p99_ms=_quantile(cumulative, bounds, total, 0.99),
    )


def _quantile(cumulative: dict[float, float], bounds: list[float], total: float, share: float) -> float:
    """Linear interpolation inside the bucket where the share falls, in milliseconds."""
    if not total:
        return 0.0
    wanted = share * total
    for low, high in pairwise([0.0, *bounds]):
        below = cumulative.get(low, 0.0)
        if cumulative[high] >= wanted:
            if math.isinf(high):
                return round(low * 1000, 3)
            part = (wanted - below) / (cumulative[high] - below)
            return round((low + (high - low) * part) * 1000, 3)
    return round(bounds[-2] * 1000, 3)
