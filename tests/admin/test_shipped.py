"""proxy/admin/shipped.py, over real sockets: the files of the page, and nothing else."""

import re
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from proxy import admin
from proxy.admin.shipped import FOLDER, Shipped
from tests.admin.scene import Scene

PATIENCE = aiohttp.ClientTimeout(total=10.0)
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    scene = Scene()
    server = await admin.start("127.0.0.1:0", scene.sight)
    async with aiohttp.ClientSession(f"http://{server.address}", timeout=PATIENCE) as session:
        yield session
    await server.stop()
    await scene.clock.stop()


@pytest.fixture
async def first(client: aiohttp.ClientSession) -> str:
    async with client.get("/dashboard/") as answer:
        return await answer.text()


def script(first: str) -> str:
    (found,) = re.findall(r'src="([^"]+)"', first)
    return f"/dashboard/{found}"


@pytest.mark.parametrize("path", ["/", "/dashboard"])
async def test_who_knows_the_port_finds_the_page(client, path):
    """It is led there."""
    async with client.get(path) as answer:
        assert (answer.status, answer.url.path) == (200, "/dashboard/")
        assert answer.content_type == "text/html"


async def test_nothing_but_these_files_runs_on_the_page(client, first):
    """No script, style or form of others; no text becomes a script; nobody frames it."""
    for path in ("/dashboard/", script(first)):
        async with client.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"].split("; ")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert policy[0] == "default-src 'none'"
        assert {"script-src 'self'", "style-src 'self'", "connect-src 'self'"} < set(policy)
        assert {"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} < set(policy)
        assert {"require-trusted-types-for 'script'", "trusted-types 'none'"} < set(policy)
        assert "unsafe" not in "".join(policy)


async def test_other_pages_keep_their_own_policy(client):
    """What is said to the page is not said of `/v1`."""
    async with client.get("/v1/status") as answer:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; frame")
        assert answer.headers["Cache-Control"] == "no-store"


async def test_the_first_page_is_asked_for_again_and_the_others_are_kept(client, first):
    """A browser never mixes the files of two versions."""
    async with client.get("/dashboard/") as answer:
        assert answer.headers["Cache-Control"] == "no-cache"
    async with client.get(script(first)) as answer:
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.content_type == "text/javascript"


@pytest.mark.parametrize("headers", [{}, PLAIN])
async def test_who_has_it_is_told_so(client, first, headers):
    """304 without a body; packed and plain are not the same."""
    async with client.get(script(first), headers=headers) as answer:
        tag, body = answer.headers["ETag"], await answer.read()
        assert answer.headers["Vary"] == "Accept-Encoding"
    assert body
    async with client.get(script(first), headers={**headers, "If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
        assert answer.headers["ETag"] == tag
    other = {"If-None-Match": tag} if headers else {**PLAIN, "If-None-Match": tag}
    async with client.get(script(first), headers=other) as answer:
        assert answer.status == 200


async def test_head_says_what_get_would(client, first):
    """Its length and its kind."""
    async with client.get(script(first), headers=PLAIN) as answer:
        length = len(await answer.read())
    async with client.head(script(first), headers=PLAIN) as answer:
        assert (answer.status, int(answer.headers["Content-Length"])) == (200, length)
        assert await answer.read() == b""


@pytest.mark.parametrize(
    "name",
    [
        "{}/nothing.js", "{}/../me.py", "{}/%2e%2e/me.py", "{}/..%2fme.py", "{}//etc/passwd",
        "{}/views", "{}/index.html", "0123456789abcdef/app.js", "app.js", "{}/app.js%00",
    ],
)  # fmt: skip
async def test_nothing_outside_the_folder_is_served(client, name):
    """Whatever the path looks like; names are looked up, and no file is opened."""
    path = name.format(Shipped().version)
    async with client.get(f"/dashboard/{path}", allow_redirects=False) as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"


async def test_it_is_shown_and_not_written_to(client):
    """405 for all that changes."""
    async with client.post("/dashboard/") as answer:
        assert answer.status == 405


async def test_a_page_of_another_site_may_lead_there(client):
    """A link in a wiki: what is shown has nothing of this proxy in it."""
    async with client.get("/dashboard/", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
        assert answer.status == 200


def test_files_are_read_once(tmp_path: Path):
    """What changes on the disk afterwards is not seen: a page is of one version."""
    (tmp_path / "index.html").write_text("{version}")
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "notes.txt").write_text("not served")
    before = Shipped(tmp_path)
    (tmp_path / "a.js").write_text("2")

    assert before._others.keys() == {"a.js"}
    assert before._others["a.js"].body == b"1"
    assert Shipped(tmp_path).version != before.version


def test_the_wheel_has_them(tmp_path: Path):
    """All of what is served is in the package that people install."""
    from hatchling.builders.wheel import WheelBuilder

    root = Path(__file__).parents[2]
    (built,) = WheelBuilder(str(root)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(built).namelist())
    files = [path for path in FOLDER.rglob("*") if path.is_file()]

    assert files
    assert {path.relative_to(root).as_posix() for path in files} <= names
