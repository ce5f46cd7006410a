"""proxy/admin/server.py, over real sockets."""

import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from proxy import admin
from proxy.admin import events
from proxy.admin.health import Health
from proxy.admin.server import AdminServer
from proxy.admin.sight import Sight
from proxy.call import InFlight
from proxy.clock import Clock
from proxy.keep import Keep
from proxy.keys import InFlightKey
from proxy.observe.metrics import Metrics
from proxy.protocols.identity import Identity
from proxy.recorders import Recorders
from tests.harness import within
from tests.observe.records import record
from tests.tables import Desk

PATIENCE = aiohttp.ClientTimeout(total=10.0)
WELL = ("/livez", "/readyz", "/startupz", "/health/live", "/health/ready", "/metrics")


@pytest.fixture
def health() -> Health:
    return Health(listen="127.0.0.1:8700", version="ab12cd", started=True)


@pytest.fixture
def keep() -> Keep:
    return Keep()


@pytest.fixture
def metrics(keep: Keep, health: Health) -> Metrics:
    return Metrics(keep, health)


@pytest.fixture
def sight(health: Health, keep: Keep, metrics: Metrics) -> Sight:
    desk = Desk(keep=keep)
    identity = Identity("local-agent", "default")
    return Sight(health, metrics, Clock(), keep, identity, lambda: desk.table, Recorders(Clock()))


@pytest.fixture
async def server(sight: Sight) -> AsyncIterator[AdminServer]:
    running = await admin.start("127.0.0.1:0", sight)
    yield running
    await running.stop()


@pytest.fixture
async def client(server: AdminServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://{server.address}", timeout=PATIENCE) as session:
        yield session


@pytest.mark.parametrize("path", WELL)
async def test_a_well_proxy_answers_200(client, path):
    """Probes and scrapers need no token."""
    async with client.get(path) as response:
        assert response.status == 200
        assert await response.read()


@pytest.mark.parametrize("path", WELL)
async def test_head_says_what_get_would(client, path):
    """Without the body."""
    async with client.head(path) as response:
        assert response.status == 200
        assert int(response.headers["Content-Length"]) > 0
        assert await response.read() == b""


@pytest.mark.parametrize("path", ["/readyz", "/health/ready"])
async def test_a_draining_proxy_is_not_ready(client, health, path):
    """503, and the detail says which part."""
    health.draining = True
    async with client.get(path) as response:
        assert response.status == 503
        parts = (await response.json())["parts"]
    assert [name for name, part in parts.items() if not part["ok"]] == ["draining"]


async def test_a_draining_proxy_lives(client, health):
    """Else it would be killed in the middle of its last calls."""
    health.draining = True
    async with client.get("/livez") as response:
        assert response.status == 200


async def test_startup_is_told_apart_from_readiness(client, health):
    """503 before it was ready once."""
    health.started = False
    async with client.get("/startupz") as response:
        assert response.status == 503


async def test_metrics_are_those_of_now(client, metrics, keep):
    """What was counted before the scrape is in it."""
    metrics.note(record())
    keep.of(InFlightKey("", "gateway", "get_balance"), InFlight)
    async with client.get("/metrics") as response:
        text = await response.text()
    assert response.content_type == "text/plain"
    assert (
        'holdfast_attempts_total{result="success",tool="get_balance",upstream="gateway"} 1.0'
        in text
    )
    assert 'holdfast_inflight{tool="get_balance",upstream="gateway"} 0.0' in text
    assert 'holdfast_config_info{policy_version="ab12cd"} 1.0' in text


async def test_openmetrics_when_asked(client):
    """As Prometheus asks for it."""
    headers = {"Accept": "application/openmetrics-text;version=1.0.0;q=0.6,*/*;q=0.1"}
    async with client.get("/metrics", headers=headers) as response:
        assert response.content_type == "application/openmetrics-text"
        assert (await response.text()).endswith("# EOF\n")


async def test_metrics_are_gzipped_for_those_who_take_it(client):
    """aiohttp's client takes it; one that does not gets plain text."""
    async with client.get("/metrics") as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert "holdfast_calls_total" in await response.text()
    async with client.get("/metrics", headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers
        assert "holdfast_calls_total" in await response.text()


async def test_a_path_that_is_not_there_is_a_problem(client):
    """404 as RFC 9457 has it."""
    async with client.get("/v1/nothing") as response:
        assert response.status == 404
        assert response.content_type == "application/problem+json"
        problem = await response.json(content_type=None)
    assert problem == {"type": "about:blank", "title": "Not Found", "status": 404}


async def test_a_method_that_is_not_there_is_a_problem(client):
    """405, with what is allowed."""
    async with client.post("/metrics") as response:
        assert response.status == 405
        assert response.content_type == "application/problem+json"
        assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/nothing"])
async def test_every_answer_is_closed_to_other_sites(client, path):
    """And says nothing of what it is made with."""
    async with client.get(path) as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers.getall("Server") == ["holdfast"]


async def test_pages_below_v1_are_there(client):
    """On a loopback address they are open."""
    async with client.get("/v1/status") as response:
        assert response.status == 200
        assert (await response.json())["policies"]["version"] == "ab12cd"


async def test_a_socket_may_have_any_host(tmp_path, sight):
    """Nobody's page reaches it."""
    path = tmp_path / "admin.sock"
    running = await admin.start(f"unix:{path}", sight)
    connector = aiohttp.UnixConnector(str(path))
    async with (
        aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as session,
        session.get("http://admin/v1/tools") as response,
    ):
        assert response.status == 200
    await running.stop()


async def test_beyond_the_machine_v1_is_closed_and_health_is_not(sight):
    """The problem says why, and what to do."""
    running = await admin.start("0.0.0.0:0", sight)
    port = running.address.rpartition(":")[2]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", timeout=PATIENCE) as session:
        async with session.get("/v1/status") as response:
            assert response.status == 403
            assert response.content_type == "application/problem+json"
            problem = await response.json(content_type=None)
        async with session.get("/metrics") as response:
            assert response.status == 200
    await running.stop()
    assert "set admin to 127.0.0.1:8701 or unix:/path" in problem["detail"]


async def test_a_long_question_is_read(client):
    """It holds a tool's input."""
    question = {"tool": "x", "input": '{"text": "' + "a" * 20_000 + '"}'}
    async with client.get("/v1/policies/explain", params=question) as response:
        assert response.status == 200


async def test_the_address_is_the_one_in_use(server):
    """Port 0 is resolved."""
    host, _, port = server.address.rpartition(":")
    assert host == "127.0.0.1"
    assert int(port) > 0


async def test_an_address_in_use_is_an_error(server, sight):
    """And nothing is left behind by the one that could not start."""
    with pytest.raises(OSError, match="address already in use"):
        await admin.start(server.address, sight)


async def test_stop_frees_the_address(server, sight):
    """And may be called twice."""
    await server.stop()
    await server.stop()
    again = await admin.start(server.address, sight)
    assert again.address == server.address
    await again.stop()


async def get_by_path(path: Path) -> int:
    """The status of /livez at a Unix socket."""
    connector = aiohttp.UnixConnector(str(path))
    async with (
        aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as session,
        session.get("http://admin/livez") as response,
    ):
        return response.status


async def test_a_unix_socket_is_for_its_owner(tmp_path, sight):
    """0600 while it serves, gone afterwards."""
    path = tmp_path / "admin.sock"
    running = await admin.start(f"unix:{path}", sight)
    assert running.address == f"unix:{path}"
    assert await get_by_path(path) == 200
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await running.stop()
    assert not path.exists()


async def test_a_socket_left_by_a_crash_is_replaced(tmp_path, sight):
    """Nobody listens on it."""
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    running = await admin.start(f"unix:{path}", sight)
    assert await get_by_path(path) == 200
    await running.stop()


async def test_a_socket_in_use_is_not_taken_away(tmp_path, sight):
    """The second one fails, the first goes on."""
    path = tmp_path / "admin.sock"
    first = await admin.start(f"unix:{path}", sight)
    with pytest.raises(OSError, match="in use"):
        await admin.start(f"unix:{path}", sight)
    assert await get_by_path(path) == 200
    await first.stop()


async def test_a_file_is_not_taken_for_a_socket(tmp_path, sight):
    """Whatever it is, it is not ours to delete."""
    path = tmp_path / "admin.sock"
    path.write_text("notes")
    with pytest.raises(OSError, match="in use"):
        await admin.start(f"unix:{path}", sight)
    assert path.read_text() == "notes"


async def test_who_has_hung_up_takes_no_place_of_who_listens(client):
    """However quiet it is: a page is loaded anew, and listens again at once."""
    for answer in [await client.get("/v1/events") for _ in range(events.MOST)]:
        answer.close()

    async def let_in():
        while True:
            async with client.get("/v1/events") as answer:
                if answer.status == 200:
                    return await answer.content.readline()

    assert await within(let_in()) == b"event: hello\n"
