from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from llm_banking.kit.metrics import Metrics, duration_buckets

SHARES = (0.50, 0.95, 0.99)


def test_each_bucket_is_a_fifth_above_the_last_up_to_half_a_minute() -> None:
    buckets = duration_buckets()
    assert buckets[0] == 0.0002
    assert buckets[-2] < 30.0 <= buckets[-1]
    assert all(high / low == pytest.approx(1.2, rel=1e-3) for low, high in pairwise(buckets))


def samples_s(shape: str) -> NDArray[np.float64]:
    rng = np.random.default_rng(7)
    if shape == "lognormal":
        return rng.lognormal(mean=np.log(0.012), sigma=0.6, size=20_000)
    if shape == "uniform":
        return rng.uniform(0.002, 0.2, size=20_000)
    return np.concatenate([rng.normal(0.004, 0.0008, 18_000).clip(0.001), rng.normal(1.5, 0.3, 2_000).clip(0.5)])


@pytest.mark.parametrize("shape", ["lognormal", "uniform", "two humps"])
def test_percentiles_are_within_a_tenth_of_the_exact_ones(shape: str) -> None:
    metrics = Metrics(None)
    taken = samples_s(shape)
    for one in taken:
        metrics.observe_request("GET", "/x", 200, float(one))
    found = metrics.latency_by_route()["/x"]
    exact = np.quantile(taken, SHARES) * 1000
    assert [found.p50_ms, found.p95_ms, found.p99_ms] == pytest.approx(exact.tolist(), rel=0.10)
    assert found.requests == len(taken)


def test_routes_are_apart_and_all_is_their_sum() -> None:
    metrics = Metrics(None)
    for _ in range(300):
        metrics.observe_request("GET", "/fast", 200, 0.001)
    for _ in range(100):
        metrics.observe_request("POST", "/slow", 200, 1.0)
    found = metrics.latency_by_route()
    assert {name: one.requests for name, one in found.items()} == {"/fast": 300, "/slow": 100, "all": 400}
    assert found["/fast"].p99_ms < 2
    assert found["/slow"].p50_ms > 700
    assert found["all"].p50_ms < 2
    assert found["all"].p95_ms > 700


def test_only_5xx_count_as_server_errors() -> None:
    metrics = Metrics(None)
    for method, route, status in (
        ("GET", "/a", 200),
        ("GET", "/a", 404),
        ("GET", "/a", 500),
        ("POST", "/a", 503),
        ("GET", "/b", 422),
    ):
        metrics.observe_request(method, route, status, 0.01)
    found = metrics.latency_by_route()
    assert {name: (one.requests, one.server_errors) for name, one in found.items()} == {
        "/a": (4, 2),
        "/b": (1, 0),
        "all": (5, 2),
    }


def test_a_request_longer_than_every_bucket_is_reported_at_the_last_bound() -> None:
    metrics = Metrics(None)
    metrics.observe_request("GET", "/x", 200, 500.0)
    assert metrics.latency_by_route()["/x"].p50_ms == pytest.approx(duration_buckets()[-1] * 1000)


def test_nothing_observed_is_an_empty_table() -> None:
    assert Metrics(None).latency_by_route() == {}


def test_the_exposition_counts_each_series() -> None:
    metrics = Metrics(None)
    metrics.observe_request("GET", "/x", 200, 0.0006)
    metrics.observe_request("GET", "/x", 200, 0.1)
    text = metrics.exposition().decode()
    series = 'method="GET",route="/x",status="200"'
    assert f"http_request_duration_seconds_count{{{series}}} 2.0" in text
    assert f'http_request_duration_seconds_bucket{{le="0.0007166",{series}}} 1.0' in text
    assert f'http_request_duration_seconds_bucket{{le="+Inf",{series}}} 2.0' in text


def test_runs_and_refusals_are_counted_and_are_no_requests() -> None:
    metrics = Metrics(None)
    for source in ("model", "cache", "cache"):
        metrics.observe_run(source)
    metrics.observe_refusal()
    text = metrics.exposition().decode()
    assert 'nlu_runs_total{source="cache"} 2.0' in text
    assert 'nlu_runs_total{source="model"} 1.0' in text
    assert "nlu_refusals_total 1.0" in text
    assert metrics.latency_by_route() == {}


WORKER = """
import sys
from pathlib import Path
from llm_banking.kit.metrics import Metrics

metrics = Metrics(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    metrics.observe_request("GET", "/x", int(sys.argv[3]), 0.01)
found = metrics.latency_by_route()["/x"]
print(found.requests, found.server_errors)
"""


def test_reading_sums_every_workers_series(tmp_path: Path) -> None:
    """Two workers come and go; the second one's reading holds the first one's requests too."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    seen = [
        subprocess.run(
            [sys.executable, "-c", WORKER, str(tmp_path), *arguments],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout.split()
        for arguments in (("30", "200"), ("12", "500"))
    ]
    assert seen == [["30", "0"], ["42", "12"]]
