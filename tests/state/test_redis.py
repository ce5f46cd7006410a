"""The store in Redis: what real servers do, and what broken ones do to us."""

import asyncio
import contextlib
import hashlib
import pkgutil
import re
import socket
import ssl
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import trustme

from proxy.state import redis, shared
from proxy.state.endpoint import Endpoint
from proxy.state.redis import RedisStore
from proxy.state.shared.fleet import ALIVE, KEPT, Beat, Pod
from proxy.state.shared.kills import NOTHING, Tell, TellKills, mark_of
from proxy.state.store import REASONS, Rejected, Unreachable, Verb
from tests.relays import saying, served, to
from tests.servers import RedisServer, SentinelServer, cluster, free_port, select_none

WITHIN = 5.0
BEAT = Beat(Pod("a", 1, "m1", "host-a"))
NAMES = [path.name.removesuffix(".lua") for path in (files("proxy.state") / "scripts").iterdir()]


@contextlib.asynccontextmanager
async def store(*ports, **endpoint):
    hosts = tuple(("127.0.0.1", port) for port in ports)
    made = RedisStore(Endpoint(hosts=hosts, **endpoint), "f", 0.05)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def started(tmp_path):
    """Makes servers that end with the test."""
    servers: list[RedisServer] = []

    def start(*options, **more):
        server = RedisServer(tmp_path / str(len(servers)), "--save", "", *options, **more).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop(hard=True)


class Said(Verb[Any], frozen=True):
    """Gives back what it was told."""

    script = "said"

    number: int

    def args(self):
        return [self.number]

    def answer(self, reply):
        return int(reply)


@pytest.fixture
def saying_back(monkeypatch):
    """A script for `Said`."""
    text = "return tonumber(ARGV[1])"
    made = redis._script
    said = text, hashlib.sha1(text.encode()).hexdigest()
    monkeypatch.setattr(redis, "_script", lambda name: said if name == "said" else made(name))


# Who we are to it.


async def test_a_password_is_shown_to_it(started):
    """And with it, all is as without one."""
    server = started("--requirepass", "s3cret")

    async with store(server.port, password="s3cret") as ours:
        await ours.check()
        assert (await ours.ask(BEAT, WITHIN)).ours


@pytest.mark.parametrize("password", ["", "wrong"])
async def test_a_wrong_password_is_no_use(started, password):
    """It will not be better by waiting; and it is not in what is told."""
    server = started("--requirepass", "s3cret")

    async with store(server.port, password=password) as ours:
        with pytest.raises(Rejected) as told:
            await ours.check()
        with pytest.raises(Unreachable):
            await ours.ask(BEAT, WITHIN)

    assert "s3cret" not in str(told.value)
    assert not password or password not in str(told.value).replace("WRONGPASS", "")


PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
_, LINE = re.split("^ACL SETUSER holdfast on >PASSWORD ", PAGE.read_text(), flags=re.MULTILINE)
KEYS, CHANNELS = "~holdfast:{f}:*", "&holdfast:{f}:*"
ALL = LINE.partition("\n")[0].replace("{payments}", "{f}").split()
"""What operators are told to allow."""


def rules(*but):
    return [rule for rule in ALL if rule not in but]


async def test_a_user_that_may_do_what_is_needed_is_enough(started):
    """It sees the keys of its own fleet, and has no command that rules the server."""
    server = started()
    server.do("ACL", "SETUSER", "pod", "on", ">pw", *rules())

    async with store(server.port, user="pod", password="pw") as ours:
        await ours.check()
        assert (await ours.ask(BEAT, WITHIN)).ours


@pytest.mark.parametrize(
    ("lacks", "told"),
    [
        ("+info", "INFO"),
        ("+time", "TIME"),
        ("+publish", "PUBLISH"),
        ("+@hash", "HSET"),
        ("+subscribe", "subscribe"),
        ("+evalsha", "evalsha"),
        ("+ping", "ping"),
        (KEYS, "key"),
        (CHANNELS, "channel"),
    ],
)
async def test_a_user_that_may_not_is_told_at_the_start(started, lacks, told):
    """By the name of what it lacks."""
    server = started()
    server.do("ACL", "SETUSER", "pod", "on", ">pw", *rules(lacks))

    async with store(server.port, user="pod", password="pw") as ours:
        with pytest.raises(Rejected, match=told):
            await ours.check()


def test_all_that_scripts_do_is_tried_at_the_start():
    """A command that a new script needs belongs into check.lua."""
    folder = files("proxy.state") / "scripts"
    used = {
        command
        for name in NAMES
        for command in re.findall(r"redis\.p?call\('(\w+)'", (folder / f"{name}.lua").read_text())
    }
    tried = set(re.findall(r"\{'([A-Z]+)'", (folder / "check.lua").read_text()))

    assert used
    assert used - tried == set()


def test_each_script_is_found_by_its_verb():
    """Its name begins with that of the file in `shared` where the verb is."""
    scripts = {
        (module.name, verb.script)
        for module in pkgutil.iter_modules(shared.__path__)
        for verb in vars(import_module(f"{shared.__name__}.{module.name}")).values()
        if isinstance(verb, type) and issubclass(verb, Verb) and "script" in vars(verb)
        if verb.__module__ == f"{shared.__name__}.{module.name}"
    }

    assert {script for _, script in scripts} == set(NAMES) - {"prelude", "check"}
    assert [each for each in scripts if not each[1].startswith(each[0])] == []


def test_all_keys_of_scripts_are_listed():
    """For people who look into a store."""
    folder = files("proxy.state") / "scripts"
    keys = {
        key
        for name in set(NAMES) - {"check"}
        for key in re.findall(r"key\('([a-z.:]+)", (folder / f"{name}.lua").read_text())
    } - {"news"}

    assert "epoch" in keys
    assert [key for key in keys if f"`{key}" not in str(shared.__doc__)] == []


def test_scripts_have_the_numbers_of_the_verbs():
    """Those that stand in what all of them begin with."""
    prelude = (files("proxy.state") / "scripts" / "prelude.lua").read_text()

    assert f"local KEPT, ALIVE = {KEPT}, {ALIVE} " in prelude


# TLS.


@pytest.fixture
def authority():
    return trustme.CA()


def behind(authority, name="127.0.0.1", *, asks=False):
    """What a server with a certificate for a name has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    if asks:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_it_is_reached_by_tls(started, authority, tmp_path):
    """With an authority of our own, and a certificate of ours where it asks for one."""
    server = started()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    own = authority.issue_cert("pod")
    own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    files = {"ca": str(tmp_path / "ca.pem")}
    pair = {"cert": str(tmp_path / "own.pem"), "key": str(tmp_path / "own.pem")}

    async with (
        served(to(server.port), behind(authority, asks=True)) as port,
        store(port, tls=True, **files, **pair) as ours,
    ):
        await ours.check()
        assert (await ours.ask(BEAT, WITHIN)).ours


@pytest.mark.parametrize("wrong", ["unknown authority", "other name"])
async def test_a_wrong_certificate_is_no_use(started, authority, tmp_path, wrong):
    """Of an authority that is not trusted, or for another host."""
    server = started()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ca = "" if wrong == "unknown authority" else str(tmp_path / "ca.pem")
    name = "redis.example" if wrong == "other name" else "127.0.0.1"

    async with (
        served(to(server.port), behind(authority, name)) as port,
        store(port, tls=True, ca=ca) as ours,
    ):
        with pytest.raises(Rejected, match=r"(?i)certificate"):
            await ours.check()


async def test_a_server_that_asks_for_ours_is_told_none(authority, tmp_path):
    """Here by TLS 1.2: later ones tell it after the handshake, and what they tell may be lost."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = behind(authority, asks=True)
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def shake():
        with contextlib.suppress(OSError), listener, listener.accept()[0] as taken:
            context.wrap_socket(taken, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        shaking = asyncio.ensure_future(asyncio.to_thread(shake))
        port = listener.getsockname()[1]
        async with store(port, tls=True, ca=str(tmp_path / "ca.pem")) as ours:
            with pytest.raises(Rejected, match="HANDSHAKE"):
                await ours.check()
        await shaking


@pytest.mark.parametrize("wrong", ["ca", "cert"])
async def test_a_file_that_cannot_be_read_is_named(tmp_path, wrong):
    """At the start, not when the first call needs the store."""
    (tmp_path / "rubbish").write_text("no certificate")
    pair = {"cert": str(tmp_path / "rubbish"), "key": str(tmp_path / "rubbish")}
    given = {"ca": str(tmp_path / "none.pem")} if wrong == "ca" else pair

    async with store(free_port(), tls=True, **given) as ours:
        with pytest.raises(Rejected, match=f"store_tls.{wrong}.*(none.pem|rubbish)"):
            await ours.check()


async def test_a_server_without_tls_is_not_there(started, monkeypatch):
    """What it says is no TLS; it may be one that only now gets it."""
    monkeypatch.setattr(redis, "_CHECKS", 0.2)
    async with store(started().port, tls=True) as ours:
        with pytest.raises(Unreachable):
            await ours.check()


# What servers do.


async def test_nobody_is_there():
    """It is told at once."""
    async with store(free_port()) as ours:
        with pytest.raises(Unreachable, match="Connect call failed"):
            await ours.check()
        with pytest.raises(Unreachable):
            await ours.ask(BEAT, WITHIN)
        with pytest.raises(Unreachable):
            await ours.listen(lambda *_: None)


async def test_scripts_that_it_forgot_are_given_again(started):
    """After SCRIPT FLUSH, a restart or a failover; nothing ran before, so nothing runs twice."""
    server = started()
    async with store(server.port) as ours:
        await ours.ask(BEAT, WITHIN)
        server.do("SCRIPT", "FLUSH")

        assert (await ours.ask(BEAT, WITHIN)).ours


async def test_a_server_without_memory_does_nothing_by_halves(started):
    """With noeviction it says so; nothing is thrown away for us."""
    server = started("--maxmemory-policy", "noeviction")
    async with store(server.port) as ours:
        server.do("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(Unreachable, match="maxmemory"):
            await ours.ask(BEAT, WITHIN)
        with pytest.raises(Unreachable, match="maxmemory"):
            await ours.ask(BEAT, WITHIN)
        assert server.do("KEYS", "*") == []

        server.do("CONFIG", "SET", "maxmemory", "0")
        assert (await ours.ask(BEAT, WITHIN)).ours


async def test_a_replica_takes_nothing(started):
    """It says that it is one, and does nothing."""
    server = started()
    server.do("REPLICAOF", "127.0.0.1", free_port())
    server.do("CONFIG", "SET", "replica-serve-stale-data", "yes")
    async with store(server.port) as ours:
        with pytest.raises(Unreachable, match="read only"):
            await ours.ask(BEAT, WITHIN)

        server.do("REPLICAOF", "NO", "ONE")
        assert (await ours.ask(BEAT, WITHIN)).ours


async def test_a_server_that_still_loads_is_not_there_yet():
    """It has its keys on the disk, and comes back with all of them."""
    loading = saying(b"-LOADING Redis is loading the dataset in memory\r\n")
    async with served(loading) as port, store(port) as ours:
        with pytest.raises(Unreachable, match="loading the dataset"):
            await ours.check()
        with pytest.raises(Unreachable, match="loading the dataset"):
            await ours.ask(BEAT, WITHIN)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"-LOADING it loads\r\n", "loading"),
        (b"-OOM command not allowed\r\n", "memory"),
        (b"-READONLY no\r\n", "read_only"),
        (b"-NOAUTH no\r\n", "refused"),
        (b"-NOPERM no\r\n", "refused"),
        (b"-ERR no\r\n", "other"),
        (b"+OK\r\n", "reply"),
        (b"rubbish\r\n", "reply"),
        (b"", "timeout"),
        (b":", "connection"),
    ],
)
async def test_why_it_does_not_answer_is_one_of_a_few_words(said, reason):
    """For metrics."""
    async with served(saying(said, then_close=said == b":")) as port, store(port) as ours:
        with pytest.raises(Unreachable) as told:
            await ours.ask(BEAT, 0.2)

    assert told.value.reason == reason
    assert reason in REASONS


# What broken ones do to us.


async def test_who_never_answers_takes_the_time_that_he_was_given():
    """And no more of it, whatever the connection would wait."""
    async with served(saying(b"")) as port, store(port) as ours:
        with pytest.raises(Unreachable, match="in time"):
            await ours.ask(BEAT, 0.05)


async def test_a_server_that_hangs_is_there_again_when_it_goes_on(started):
    """It was asked in vain; what it says to that later is nobody's answer."""
    server = started()
    async with store(server.port) as ours:
        await ours.ask(BEAT, WITHIN)
        server.pause()
        for _ in range(3):
            with pytest.raises(Unreachable, match="in time"):
                await ours.ask(BEAT, 0.02)
        server.resume()

        assert (await ours.ask(BEAT, WITHIN)).ours


async def test_everybody_gets_his_own_answer(started, saying_back):
    """However many of those who asked before him did not wait for theirs."""
    server = started()
    async with store(server.port) as ours:
        await ours.ask(Said(0), WITHIN)
        for round_ in range(20):
            numbers = range(round_ * 100, round_ * 100 + 60)
            asked = [asyncio.ensure_future(ours.ask(Said(number), WITHIN)) for number in numbers]
            for _ in range(round_):
                await asyncio.sleep(0)
            for task in asked[::2]:
                task.cancel()
            told = await asyncio.gather(*asked, return_exceptions=True)
            assert told[1::2] == list(numbers[1::2])


@pytest.mark.parametrize(
    "rubbish",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"+OK\r\n",
        b":1\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"$5\r\nhello\r\n",
        b"*2\r\n:1\r\n+x\r\n",
        b"*6\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n$1\r\nx\r\n",
        b"*9\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n$1\r\n\xff\r\n$3\r\n1 x\r\n$1\r\n1\r\n:1\r\n",
        b"-ERR no\r\n",
        b"-NOSCRIPT no\r\n",
        b"-MOVED 1 nowhere:1\r\n",
        b"-LOADING\r\n",
        b"-\r\n",
        b"\x00\xff\xfe\r\n",
        b"*1000\r\n",
        b"$-99\r\n",
        b"*1\r\n" * 40,
        b"%1\r\n+a\r\n+b\r\n",
        b">2\r\n+a\r\n+b\r\n",
        b"_\r\n",
    ],
)
async def test_rubbish_is_no_answer(rubbish, monkeypatch):
    """Whoever it comes from: the store is not there, and nothing breaks."""
    monkeypatch.setattr(redis, "_CHECKS", 0.2)
    async with served(saying(rubbish)) as port, store(port) as ours:
        with pytest.raises(Unreachable):
            await ours.ask(BEAT, 0.2)
        with pytest.raises(Unreachable):
            await ours.ask(BEAT, 0.2)
        with contextlib.suppress(Unreachable):
            await ours.check()


@pytest.mark.parametrize("cut", range(1, 36, 5))
async def test_a_reply_that_is_cut_is_no_answer(cut):
    """At any byte: the connection is gone, and the next one is as good as new."""
    whole = b"*5\r\n:1700000000000\r\n:1\r\n:5\r\n:1\r\n:2\r\n"
    async with served(saying(whole[:cut], then_close=True)) as port, store(port) as ours:
        with pytest.raises(Unreachable):
            await ours.ask(BEAT, WITHIN)
    async with served(saying(whole)) as port, store(port) as ours:
        assert (await ours.ask(BEAT, WITHIN)).epoch == 5


# What is published.


class Heard:
    """What was heard, and somebody who waits for it."""

    def __init__(self):
        self.all = []
        self.more = asyncio.Event()

    def __call__(self, topic, said):
        self.all.append((topic, said))
        self.more.set()

    async def until(self, tell, *wanted):
        """`tell` again and again: who listens does not say from when on."""
        while not self.all or self.all[-1] != wanted:
            self.more.clear()
            tell()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.more.wait(), 0.05)


async def turns(holds):
    """Until it does."""
    while not holds():  # noqa: ASYNC110 -- another process tells nobody
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def listening(ours, heard):
    task = asyncio.ensure_future(ours.listen(heard))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_published_is_heard(started):
    """The topic, and all that stands behind it; whatever it is."""
    server, heard = started(), Heard()
    async with store(server.port) as ours, listening(ours, heard):
        for said in ("kills a b", "\xff", ""):
            topic, _, text = said.partition(" ")
            await heard.until(
                lambda said=said: server.do("PUBLISH", "holdfast:{f}:news", said),
                topic,
                text.encode(),
            )


async def test_a_server_that_is_quiet_is_asked_whether_it_is_there(started, monkeypatch):
    """It says yes, and goes on."""
    monkeypatch.setattr(redis, "PATIENCE", 0.02)
    server, heard = started(), Heard()
    async with store(server.port) as ours, listening(ours, heard) as task:
        await turns(lambda: "cmd=ping" in str(server.do("CLIENT", "LIST", "TYPE", "pubsub")))
        await heard.until(lambda: server.do("PUBLISH", "holdfast:{f}:news", "a b"), "a", b"b")
        assert not task.done()


async def test_a_server_that_says_nothing_any_more_is_left(started, monkeypatch):
    """Its connection stays as it is, and nobody would ever hear of it again."""
    monkeypatch.setattr(redis, "PATIENCE", 0.1)
    server, heard = started(), Heard()
    async with store(server.port) as ours, listening(ours, heard) as task:
        await heard.until(lambda: server.do("PUBLISH", "holdfast:{f}:news", "a b"), "a", b"b")
        server.pause()
        with pytest.raises(Unreachable, match="in time"):
            await task
        server.resume()


async def test_a_server_that_ends_is_left_at_once(started):
    """Something may have been missed, and who listens is told so, rather than connected again."""
    server, heard = started(), Heard()
    async with store(server.port) as ours, listening(ours, heard) as task:
        await heard.until(lambda: server.do("PUBLISH", "holdfast:{f}:news", "a b"), "a", b"b")
        server.do("CLIENT", "KILL", "TYPE", "pubsub")
        with pytest.raises(Unreachable):
            await task


# More than one server.


async def until_asked(ours, verb):
    """Until it is answered: who comes in the place of another needs a while."""
    while True:
        try:
            return await ours.ask(verb, 1.0)
        except Unreachable:
            await asyncio.sleep(0)
            select_none(0.02)


async def test_sentinels_say_where_it_is(started, tmp_path):
    """One of them hangs, the master goes, and another one is in its place: another epoch."""
    master = started()
    replica = started("--replicaof", "127.0.0.1", str(master.port))
    sentinels = [SentinelServer(tmp_path / f"sentinel{n}", master.port).start() for n in range(3)]
    try:
        until(lambda: master.do("ROLE")[2] and seen_by(sentinels))
        ports = [each.port for each in sentinels]
        async with store(*ports, kind="sentinel", service="ours") as ours:
            await ours.check()
            before = await ours.ask(BEAT, WITHIN)
            master.stop(hard=True)
            after = await until_asked(ours, BEAT)
            assert after.epoch > before.epoch
            assert replica.do("ROLE")[0] == "master"

        sentinels[0].pause()
        async with store(*ports, kind="sentinel", service="ours") as ours:
            assert (await ours.ask(BEAT, 1.0)).ours
        async with store(*ports, kind="sentinel", service="other") as ours:
            with pytest.raises(Unreachable, match="other"):
                await ours.ask(BEAT, 1.0)
    finally:
        for each in sentinels:
            each.stop(hard=True)


def seen_by(sentinels):
    return all(
        each.do("SENTINEL", "REPLICAS", "ours") and each.do("SENTINEL", "SENTINELS", "ours")[1:]
        for each in sentinels
    )


def until(holds):
    while not holds():
        select_none(0.02)


async def test_a_cluster_has_all_of_a_fleet_on_one_node(tmp_path):
    """A script may touch all of its keys, wherever it is asked; and what is published is heard."""
    nodes = cluster(tmp_path)
    try:
        heard = Heard()
        for first in nodes:
            async with store(first.port, kind="cluster") as ours:
                await ours.check()
                assert (await ours.ask(BEAT, WITHIN)).ours
        keys = [node.do("KEYS", "*") for node in nodes]
        assert sorted(map(bool, keys)) == [False, False, True]

        async with store(nodes[0].port, kind="cluster") as ours, listening(ours, heard):
            await heard.until(lambda: nodes[1].do("PUBLISH", "holdfast:{f}:news", "a b"), "a", b"b")
            owner = nodes[keys.index(max(keys))]
            owner.stop(hard=True)
            with pytest.raises(Unreachable):
                await ours.ask(BEAT, 1.0)
            with pytest.raises(Unreachable):
                await ours.ask(BEAT, 1.0)
            owner.start()
            assert (await until_asked(ours, BEAT)).ours
    finally:
        for node in nodes:
            node.stop(hard=True)


@pytest.mark.parametrize("password", ["", "wrong"])
async def test_a_cluster_may_not_want_us(tmp_path, password):
    """That is told as of one server."""
    server = RedisServer(
        tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port()),
        "--requirepass", "s3cret",
    ).start()  # fmt: skip
    try:
        async with store(server.port, kind="cluster", password=password) as ours:
            with pytest.raises(Rejected):
                await ours.check()
    finally:
        server.stop(hard=True)


async def test_a_cluster_that_is_none(started):
    """The settings say that it is one."""
    async with store(started().port, kind="cluster") as ours:
        with pytest.raises(Unreachable, match="Cluster mode is not enabled"):
            await ours.check()
        with pytest.raises(Unreachable):
            await ours.listen(lambda *_: None)


async def test_a_store_that_is_closed_makes_no_connection():
    """Nobody would close it."""
    made = RedisStore(Endpoint(hosts=(("127.0.0.1", 1),)), "closed", 1.0)
    await made.close()

    with pytest.raises(Unreachable, match="closed"):
        await made.ask(Beat(Pod("a")), 1.0)
    with pytest.raises(Unreachable, match="closed"):
        await made.listen(lambda topic, said: None)


async def test_where_it_failed_idle_connections_are_left(started):
    """They may lead to a server that has lost its place to another."""
    server = started()
    async with store(server.port) as ours:
        await asyncio.gather(*(ours.ask(Beat(Pod(name)), 5.0) for name in "abc"))
        pool = ours._client.connection_pool
        before = [each for each in pool._available_connections if each.is_connected]
        assert len(before) > 1
        server.pause()
        with pytest.raises(Unreachable):
            await ours.ask(Beat(Pod("a")), 0.01)
        server.resume()

        assert not any(each.is_connected for each in before)
        assert (await ours.ask(Beat(Pod("a")), 5.0)).ours


async def test_who_finds_no_room_has_not_asked(started, saying_back):
    """So many wait already for a server that hangs; and who was let in late had not all of his
    time. Those before them did have it."""
    server = started()
    async with store(server.port) as ours:
        assert await ours.ask(Said(1), WITHIN) == 1
        server.pause()
        asked = [ours.ask(Said(number), 0.2) for number in range(redis.AT_ONCE + 1)]
        failed = await asyncio.gather(*asked, return_exceptions=True)
        server.resume()

    reasons = [error.reason for error in failed if isinstance(error, Unreachable)]
    assert reasons == ["timeout"] * redis.AT_ONCE + ["crowded"]


async def test_two_databases_of_a_server_are_two_fleets(started):
    """Also of one name: a kill in the one is none in the other."""
    server = started()
    heard: list[bytes] = []
    async with store(server.port) as ours, store(server.port, db=1) as theirs:
        listening = asyncio.ensure_future(ours.listen(lambda _, said: heard.append(said)))
        while b"agent:ours" not in b"".join(heard):
            for whose, said in ((theirs, b"agent:theirs"), (ours, b"agent:ours")):
                scope = said.decode()
                await whose.ask(TellKills((Tell(scope, NOTHING, said, 9),)), WITHIN)
                await whose.ask(TellKills((Tell(scope, mark_of(said), b"", 0),)), WITHIN)
        listening.cancel()

    assert set(heard) == {b"agent:ours"}


async def test_what_is_under_way_ends_before_the_end(started):
    """Its connection is closed with the others."""
    server = started()
    async with store(server.port) as ours:
        asked = [asyncio.ensure_future(ours.ask(Beat(Pod(name)), 5.0)) for name in "abc"]
        await asyncio.sleep(0)
        await ours.close()

        assert all([(await one).ours for one in asked])
        assert not any(
            each.is_connected for each in ours._client.connection_pool._available_connections
        )


async def test_the_end_waits_for_no_server_that_hangs(started):
    """For longer than a moment."""
    server = started()
    async with store(server.port) as ours:
        await ours.ask(Beat(Pod("a")), 5.0)
        server.pause()
        asked = asyncio.ensure_future(ours.ask(Beat(Pod("a")), 5.0))
        await asyncio.sleep(0)
        await ours.close()
        server.resume()

        with pytest.raises(Unreachable):
            await asked


async def test_a_stream_is_added_to(started):
    """All in one step; what fails is said, and closing is no matter."""
    server = started()
    stream = redis.RedisStream(Endpoint(hosts=(("127.0.0.1", server.port),)), "records", 100)
    await stream.add([("a", "t", b"1"), ("b", "t", b"2")])
    told = server.do("XRANGE", "records", "-", "+")
    assert [fields for _, fields in told] == [
        {"id": "a", "type": "t", "event": "1"},
        {"id": "b", "type": "t", "event": "2"},
    ]

    server.do("SET", "records", "no stream")
    with pytest.raises(Unreachable):
        await stream.add([("c", "t", b"3")])
    await stream.close()
