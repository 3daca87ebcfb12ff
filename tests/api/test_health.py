from __future__ import annotations

from httpx import AsyncClient
from prometheus_client.parser import text_string_to_metric_families

from llm_banking.api.envelope import product_version


async def test_health_is_bare_and_names_every_component(client: AsyncClient) -> None:
    for method in ("GET", "POST"):
        response = await client.request(method, "/health")
        assert response.status_code == 200
        body = response.json()
        assert set(body) == {"status", "timestamp", "version", "components"}
        assert body["status"] == "healthy"
        assert body["version"] == product_version()
        assert set(body["components"]) == {"api", "database", "llm", "cache"}
    head = await client.head("/health")
    assert (head.status_code, head.content) == (200, b"")


async def test_live_and_ready_answer(client: AsyncClient) -> None:
    assert (await client.get("/health/live")).json() == {"status": "alive"}
    assert (await client.get("/health/ready")).json()["status"] == "healthy"


async def test_a_request_is_one_observation_of_its_route(client: AsyncClient) -> None:
    def count(text: str, route: str, status: str) -> float:
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "http_request_duration_seconds_count"
            and sample.labels["route"] == route
            and sample.labels["status"] == status
        )

    before = (await client.get("/metrics")).text
    await client.get("/api/v2/intents")
    await client.get("/api/v2/sessions/not-a-uuid")
    await client.get("/nowhere/zebra-4471")
    after = (await client.get("/metrics")).text
    for route, status in (("/api/v2/intents", "200"), ("/api/v2/sessions/{session_id}", "422"), ("unmatched", "404")):
        assert count(after, route, status) == count(before, route, status) + 1
    assert "zebra-4471" not in after


async def test_the_metrics_page_counts_errors(client: AsyncClient) -> None:
    body = (await client.get("/health/metrics")).json()
    assert body["requests"] >= sum(route["requests"] for route in body["routes"].values()) > 0
    assert body["error_rate"] == body["server_errors"] / body["requests"]
    assert body["latency_p50_ms"] <= body["latency_p95_ms"] <= body["latency_p99_ms"]
