# ruff: noqa: E501 -- messages stand on one line, as people see them
import json
import re
from pathlib import Path

import pytest

from proxy.config.places import ConfigError
from proxy.config.settings import Address, Settings, Source, load_settings
from proxy.journal.notes import new_signer
from proxy.protocols.identity import Identity

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def errors(*args, **kwargs):
    with pytest.raises(ConfigError) as caught:
        load_settings(*args, **kwargs)
    return [str(problem) for problem in caught.value.problems]


def test_defaults(here):
    """Nothing needs to be written; a folder of policies that nobody named may be missing."""
    settings = load_settings(environ={})

    assert (settings.listen, settings.admin) == ("127.0.0.1:8700", "127.0.0.1:8701")
    assert (settings.agent.id, settings.policies, settings.drain) == ("local-agent", "", 25.0)
    assert settings.limits.header_bytes == 64 << 10


def test_the_usual_folder_is_used_where_it_is_there(here):
    """`./policies`."""
    (here / "policies").mkdir()

    assert load_settings(environ={}).policies == "./policies"


def test_a_flag_beats_the_environment_which_beats_the_file(here):
    """The file beats the defaults."""
    (here / "holdfast.yaml").write_text("drain: 1s\nagent: {id: file, fleet: file}")
    environ = {"HOLDFAST_AGENT_ID": "environment", "HOLDFAST_AGENT_FLEET": "environment"}

    settings = load_settings(environ=environ, flags={"agent.id": "flag", "drain": None})

    assert (settings.agent.id, settings.agent.fleet) == ("flag", "environment")
    assert settings.drain == 1.0


REDIS = "store: redis://:s3cret@redis\n"


def test_a_store_is_a_redis(here):
    """With all that it takes to reach it."""
    (here / "holdfast.yaml").write_text(
        "store: rediss://pod:${PASSWORD}@redis:1/2\nstore_tls: {ca: a.pem}\nreadiness: [store]\n"
        "store_timeout: 20ms\non_store_failure: deny\n"
    )
    settings = load_settings(environ={"PASSWORD": "s3cret"})

    assert settings.store.endpoint.password == "s3cret"
    assert (settings.store_timeout, settings.on_store_failure) == (0.02, "deny")
    assert settings.readiness == ("store",)
    assert settings.store_tls.ca == "a.pem"
    assert "s3cret" not in repr(settings)


def test_the_environment_may_name_the_store(here):
    """There its password is in no file."""
    settings = load_settings(environ={"HOLDFAST_STORE": "redis://a", "HOLDFAST_READINESS": "store"})

    assert (settings.store.endpoint.hosts, settings.readiness) == ((("a", 6379),), ("store",))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("store: redis://:s3cret@redis:0", "no valid host and port"),
        ("store: [redis://:s3cret@redis]", "or the URL of a Redis, found a list"),
        (f"{REDIS}store_timeout: 0s", "store_timeout: must be from 1ms to 5s"),
        (f"{REDIS}store_timeout: 6s", "store_timeout: must be from 1ms to 5s"),
        (f"{REDIS}store_tls: {{ca: a.pem}}", "give a URL that begins with rediss"),
        (f"{REDIS}store_tls: {{cert: a.pem}}", "expected both cert and key, or neither"),
        (f"{REDIS}on_store_failure: stop", "expected allow, deny or local"),
        (f"{REDIS}readiness: [journal]", "readiness"),
        ("readiness: [store]", "readiness: there is no store"),
    ],
)
def test_a_store_that_cannot_be_is_told_without_its_password(here, text, told):
    """Where, and what is allowed."""
    (here / "holdfast.yaml").write_text(text)
    (problem,) = errors(environ={})

    assert told in problem
    assert "s3cret" not in problem


def test_files_are_looked_up_in_their_order(here):
    """The one that is given, HOLDFAST_CONFIG, ./holdfast.yaml."""
    for name in ("holdfast", "environment", "given"):
        (here / f"{name}.yaml").write_text(f"agent: {{id: {name}}}")
    environ = {"HOLDFAST_CONFIG": "environment.yaml"}

    assert load_settings(environ={}).agent.id == "holdfast"
    assert load_settings(environ=environ).agent.id == "environment"
    assert load_settings("given.yaml", environ).agent.id == "given"


def test_a_file_that_is_named_must_be_there(here):
    """Falling back to defaults would hide the mistake."""
    assert errors("no.yaml", {}) == ["no.yaml: cannot be read: No such file or directory"]


def test_the_usual_file_may_not_lead_nowhere(here):
    """A broken link is a file that somebody meant to be there."""
    (here / "holdfast.yaml").symlink_to("gone.yaml")

    assert errors(environ={}) == ["holdfast.yaml: cannot be read: No such file or directory"]


@pytest.mark.parametrize(
    ("variable", "text", "read"),
    [
        ("HOLDFAST_LISTEN", "unix:/run/h.sock", lambda settings: settings.listen == "unix:/run/h.sock"),
        ("HOLDFAST_AGENT_ID", "7", lambda settings: settings.agent.id == "7"),
        ("HOLDFAST_LIMITS_HEADERS", "7", lambda settings: settings.limits.headers == 7),
        ("HOLDFAST_LIMITS_BODY_BUFFER", "1MiB", lambda settings: settings.limits.body_buffer == 1 << 20),
        ("HOLDFAST_DRAIN", "250ms", lambda settings: settings.drain == 0.25),
        ("HOLDFAST_LOG_FORMAT", "text", lambda settings: settings.log.format == "text"),
        ("HOLDFAST_IDENTITY", "header:X-Agent, static", lambda settings: settings.identity == ("header:X-Agent", "static")),
        ("HOLDFAST_LISTEN", "", lambda settings: settings.listen == Settings().listen),
    ],
)  # fmt: skip
def test_every_setting_has_a_variable(here, variable, text, read):
    """An empty one counts as unset."""
    assert read(load_settings(environ={variable: text}))


def test_all_errors_are_shown_with_their_source(here):
    """File, environment and flags, at once."""
    (here / "holdfast.yaml").write_text("lisen: x\ndrain: 5\nagent: {version: 1}\nlimits: 3")
    environ = {"HOLDFAST_LOG_LEVEL": "loud", "HOLDFAST_LIMITS_HEADERS": "5"}

    assert errors(environ=environ, flags={"listen": "nowhere"}) == [
        "--listen: listen: expected host:port, or unix:/path, found 'nowhere'",
        "HOLDFAST_LOG_LEVEL: log.level: expected debug, error, info or warning, found 'loud'",
        "holdfast.yaml:1:1: lisen: unknown key; did you mean listen?",
        "holdfast.yaml:2:8: drain: expected a duration such as 250ms, 10s, 5m, 1h or 30d, found 5",
        "holdfast.yaml:3:9: agent.version: unknown key; this version does not have it yet",
        "holdfast.yaml:4:9: limits: expected a mapping, found 3",
    ]


def test_a_file_of_something_else_is_an_error(here):
    """A list holds no settings."""
    (here / "holdfast.yaml").write_text("- a")

    assert errors(environ={"HOLDFAST_DRAIN": "1s"}) == [
        "holdfast.yaml:1:1: expected a mapping, found a list"
    ]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"policies": "no"}, "--policies: policies: no such folder"),
        ({"listen": "h:1", "admin": "h:1"}, "--admin: admin: must not be the address of listen"),
        ({"listen": "127.0.0.1:8701"}, "the defaults: admin: must not be the address of listen"),
        ({"policies": "a" * 300}, "--policies: policies: no such folder"),
        ({"identity": "keys"}, "--identity: identity[0]: expected static, key or header:NAME"),
    ],
)
def test_settings_that_cannot_work(here, flags, message):
    """A folder that was named and is not there would leave every call unguarded."""
    (found,) = errors(environ={}, flags=flags)

    assert found.startswith(message)


def test_any_free_port_may_be_asked_for_twice(here):
    """They will not be the same."""
    load_settings(environ={}, flags={"listen": "127.0.0.1:0", "admin": "127.0.0.1:0"})


@pytest.mark.parametrize("text", ["h:1", "[::1]:0", "127.0.0.1:65535", "unix:/run/x.sock"])
def test_addresses(text):
    """Host and port, IPv6 in brackets; or a Unix socket."""
    assert Address.parse(text) == text


@pytest.mark.parametrize("text", ["", "h", "h:", ":1", "h:65536", "::1:80", "unix:", "a b:1", 80])
def test_what_is_no_address(text):
    """Said before anything listens."""
    with pytest.raises(ValueError, match="expected host:port, or unix:/path"):
        Address.parse(text)


def test_sources_of_identity():
    """A header is believed only where it is listed."""
    assert [Source.parse(text) for text in ("static", "key", "header:X-Agent")]
    for wrong in ("header:", "header:a b", "header:a(b", 3, "Static"):
        with pytest.raises(ValueError, match="expected static, key or header:NAME"):
            Source.parse(wrong)


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "cookie", "proxy-authorization"])
def test_a_credential_is_nobodys_name(name):
    """Names of agents are shown: in logs, and to upstreams that ask for them."""
    with pytest.raises(ValueError, match="expected a header that holds no credential"):
        Source.parse(f"header:{name}")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("{header_bytes: 0B}", "limits.header_bytes: must be at least 1KiB"),
        ("{body_buffer: 1023B}", "limits.body_buffer: must be at least 1KiB"),
        ("{header_timeout: 0s}", "limits.header_timeout: must be longer than 0"),
        (
            "{connections: 0}",
            "limits.connections: expected a whole number of 1 to 1,000,000, found 0",
        ),
    ],
)
def test_limits_under_which_no_call_would_pass(here, limits, message):
    """Better said at the start than by every call."""
    (here / "holdfast.yaml").write_text(f"limits: {limits}")
    (found,) = errors(environ={})

    assert found.partition(": ")[2] == message


@pytest.mark.parametrize("name", ["a\n", "a\nb", "\x1b", "", "é", "a" * 129])
def test_an_agents_name_fits_into_a_header(here, name):
    """All of it: upstreams may be told it."""
    (found,) = errors(environ={}, flags={"agent.id": name})

    assert "agent.id: expected 1 to 128 printable ASCII characters, found" in found


def test_the_documented_settings_are_the_defaults(here):
    """The example of docs/settings.md changes nothing."""
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (here / "policies").mkdir()
    (here / "holdfast.yaml").write_text(example)

    assert load_settings(environ={}) == Settings()


@pytest.mark.parametrize(
    ("identity", "static"),
    [
        (["static", "header:x-agent"], True),
        (["header:x-agent", "static", "header:x-other"], False),
        (["key"], False),
        (["static"], True),
    ],
)
def test_who_stands_first_names_the_agent(here, identity, static):
    """And `static` always does."""
    (here / "h.yaml").write_text(json.dumps({"identity": identity}))
    found = load_settings("h.yaml", environ={}).identity

    assert Identity("ann", "crew", found).static is static


def test_a_retention_under_six_months_is_warned_of(here):
    """It is allowed: not everybody is under that law."""
    warned = load_settings(environ={"HOLDFAST_AUDIT_RETENTION": "30d"}).warnings

    assert ["audit.retention" in text for text in warned] == [True]
    assert load_settings(environ={}).warnings == ()


def test_where_checkpoints_go(here):
    """Standard error, files, and URLs."""
    given = ("stderr", "/mnt/elsewhere/checkpoints", "https://witness.example/notes")
    anchors = load_settings(environ={"HOLDFAST_AUDIT_ANCHORS": ",".join(given)}).audit.anchors

    assert anchors == given
    assert [each.url for each in anchors] == [None, None, "https://witness.example/notes"]


@pytest.mark.parametrize(
    ("audit", "message"),
    [
        (
            {"anchors": ["syslog"]},
            "audit.anchors[0]: expected stderr, the path of a file, or a URL",
        ),
        ({"anchors": ["/mnt/"]}, "audit.anchors[0]: expected stderr, the path of a file, or a URL"),
        (
            {"anchors": ["redis://h:6379/0"]},
            "found one that begins with redis://; Redis takes none in this version yet",
        ),
        (
            {"anchors": ["ftp://h/x"]},
            "or a URL that it is posted to, found one that begins with ft",
        ),
        ({"anchors": ["https://u:p@h/x"]}, "a user or password cannot be part of an anchor's URL"),
        ({"anchors": ["https://h/x?k=v"]}, "a query or fragment cannot be part of an anchor's URL"),
        ({"segment": "1KiB"}, "audit.segment: must be at least 64KiB"),
        ({"retention": "1h"}, "audit.retention: must be at least 1d"),
        ({"checkpoint": {"every": "0s"}}, "audit.checkpoint.every: must be at least 1s"),
        ({"checkpoint": {"records": 0}}, "audit.checkpoint.records: expected a whole number"),
        ({"key": "SECRET+1+x"}, "audit.key: not a secret key"),
    ],
)
def test_a_journal_that_cannot_be_kept_is_an_error(here, audit, message):
    """With its place; and a key is not shown."""
    (here / "h.yaml").write_text(json.dumps({"audit": audit}))
    (told,) = errors("h.yaml", environ={})

    assert message in told
    assert "SECRET" not in told


def test_a_key_may_come_from_a_file(here):
    """As secrets are mounted; it is never shown."""
    line = new_signer("holdfast/a/b", bytes).line()
    (here / "k").write_text(line + "\n")
    (here / "h.yaml").write_text(json.dumps({"audit": {"key": "${file:k}"}}))
    key = load_settings("h.yaml", environ={}).audit.key

    assert key is not None
    assert key.encode().decode() == line
    assert line not in repr(key)


def test_a_key_of_the_fleet_is_long_enough_and_not_shown(here):
    """It may come from a file, or from the environment; without one there is none."""
    secret = "sixteen letters."
    (here / "k").write_text(secret + "\n")
    (here / "h.yaml").write_text("fleet_key: ${file:k}\n")
    for settings in (
        load_settings("h.yaml", environ={}),
        load_settings(environ={"HOLDFAST_FLEET_KEY": secret}),
    ):
        assert settings.fleet_key.encode().decode() == secret
        assert secret not in repr(settings)
    assert not load_settings(environ={}).fleet_key
    with pytest.raises(ConfigError) as caught:
        load_settings(environ={"HOLDFAST_FLEET_KEY": "fifteen letters"})
    assert "fleet_key: must have at least 16 characters" in str(caught.value)
    assert "fifteen" not in str(caught.value)
