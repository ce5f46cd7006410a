"""Dashboards and rules of the chart against a real process, and a Prometheus that scrapes it."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.harness import OK, Proxy, RawUpstream, answer, holdfast, request
from tests.harness.agent import Connection
from tests.prometheus import needs_prometheus, prometheus
from tests.promql import KNOWN, selectors
from tests.test_grafana import QUERIES, filled
from tests.test_health_rules import RULES

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICIES = """
prices: {tools: {get_balance: 0.01, get_rates: 0}}
budgets:
  - {name: agent, per: agent, day: 5}
policies:
  - {name: p, effect: read, retry: {attempts: 2}, breaker: {}, bulkhead: {limit: 4}}
slos:
  - {name: calls, sli: success, objective: 0.9, match: {tool: "get_*"}}
behaviour: {}
"""
TRACE = {"otlp": "http://127.0.0.1:9"}  # where nobody listens
MARKS = ("Started", "Policies changed", "Killed")
STARTS = 30.0
"""Seconds that Prometheus may take to start, and to scrape, on a busy machine."""
CALM = {
    "holdfast-money: Calls refused for money",
    "holdfast-overview: What shadow policies would refuse",
    "holdfast-overview: Who refused",  # all before Prometheus came
}
"""Panels of what did not happen here, though the metric has rows."""


def call(tool: str, number: int = 0) -> bytes:
    """Of a tool of the gateway."""
    body = json.dumps({"tool": tool, "input": {"n": number}}).encode()
    return request("/", "Content-Type: application/json", method="POST", body=body)


@contextlib.asynccontextmanager
async def at_work() -> AsyncIterator[Proxy]:
    """A proxy that has had good calls, failures and refusals."""
    async with (
        RawUpstream() as upstream,
        holdfast(upstream, "tools", POLICIES, agent={"id": "ann"}, trace=TRACE) as proxy,
    ):
        upstream.otherwise = OK
        for number in range(20):
            await proxy.call(call("get_balance", number), "POST")
        upstream.otherwise = answer(500, body=b"{}")
        for number in range(12):
            await proxy.call(call("get_rates", number), "POST")
        await proxy.until_metric("holdfast_calls_total", 32)
        yield proxy


async def exposed(proxy: Proxy) -> dict[str, list[set[str]]]:
    """Metrics of a page, as they are named in queries, and the labels of each of their rows."""
    async with await Connection.open(proxy.admin) as opened:
        text = (await opened.call(request("/metrics"))).body.decode()
    return {
        family.name + ("_total" if family.type == "counter" else ""): [
            sample.labels.keys() - {"le"} for sample in family.samples
        ]
        for family in parse_text(text)
    }


async def test_what_is_asked_for_is_what_a_process_shows() -> None:
    """Metrics of panels and rules are on its page, and rows have the labels of the catalogue."""
    async with at_work() as proxy:
        shown = await exposed(proxy)
    asked = {name for _, query in QUERIES for name, _ in selectors(query)}
    asked |= {name for rule in RULES for name, _ in selectors(rule["expr"])} - {"up"}
    assert sorted(asked - shown.keys()) == []
    ours = {name: rows for name, rows in shown.items() if name in KNOWN}
    assert [name for name, rows in ours.items() if any(row != KNOWN[name] for row in rows)] == []
    assert sum(bool(rows) for rows in ours.values()) > 40


class Asked:
    """A Prometheus, to be asked."""

    def __init__(self, session: aiohttp.ClientSession, listen: str) -> None:
        self._session = session
        self._at = f"http://{listen}/api/v1/query"

    async def query(self, query: str) -> list[dict[str, Any]]:
        """Its rows. It fails where Prometheus does not take it."""
        async with self._session.get(self._at, params={"query": query}) as response:
            told = await response.json()
        assert told["status"] == "success", (query, told)
        rows: list[dict[str, Any]] = told["data"]["result"]
        return rows

    async def until(self, query: str) -> None:
        """There are rows."""
        async with asyncio.timeout(STARTS):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    if await self.query(query):
                        return


@contextlib.asynccontextmanager
async def scraped(proxy: Proxy, folder: Path) -> AsyncIterator[Asked]:
    """By a Prometheus that has seen it twice."""
    async with (
        prometheus(folder, proxy.admin, []) as listen,
        aiohttp.ClientSession() as session,
    ):
        asked = Asked(session, listen)
        await asked.until("count_over_time(holdfast_config_info[1m]) > 2")
        yield asked


def short(query: str) -> str:
    """With everything picked, and windows that fit two scrapes a second."""
    return re.sub(r"\[[^\]]*\]", "[10s]", filled(query))


@needs_prometheus
async def test_prometheus_answers_every_panel(tmp_path: Path) -> None:
    """Each query is taken; where the process has rows of all that it asks for, there is one."""
    async with at_work() as proxy, scraped(proxy, tmp_path) as asked:
        shown = await exposed(proxy)
        empty = set()
        for where, query in QUERIES:
            rows = await asked.query(short(query))
            if not rows and all(shown[name] for name, _ in selectors(query)):
                empty.add(where)
    marks = {f"{where.partition(':')[0]}: {name}" for where, _ in QUERIES for name in MARKS}
    assert empty - marks == CALM


@needs_prometheus
async def test_rules_find_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    """Where calls fail: the circuit, the objective and the agent; and then what is killed."""
    async with at_work() as proxy, scraped(proxy, tmp_path) as asked:
        found = {rule["alert"] for rule in RULES if await asked.query(rule["expr"])}
        # Which state the objective is in depends on how soon it was looked at.
        assert found - {"SloBurning", "SloExhausted", "SloUnknown"} == {
            "CircuitOpen",
            "AgentCritical",
        }

        await proxy.change("/v1/kills", {"scope": "all", "reason": "a test"})
        await asked.until('holdfast_killed{scope="all"} == 1')
        told = {
            rule["labels"]["severity"]: await asked.query(rule["expr"])
            for rule in RULES
            if rule["alert"] == "Killed"
        }
    assert told["ticket"] == []
    assert [row["metric"] for row in told["page"]] == [{"job": "holdfast", "scope": "all"}]
