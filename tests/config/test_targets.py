# ruff: noqa: E501 -- messages stand on one line, as people see them
"""Upstreams that others name, and how an upstream is probed."""

import pytest

from proxy.config.load import load_policies
from proxy.config.places import ConfigError
from proxy.config.targets import named_as_target

A = "upstreams:\n  a: {url: http://a, protocol: tools, "


def test_who_is_named() -> None:
    """By the backups of any."""
    found = load_policies().upstreams
    assert named_as_target([], found) == frozenset()


def test_somebody_must_stand_at_the_root(folder) -> None:
    """If nobody else can, it is the one that gives no path, whoever names it."""
    loaded = folder.load(A + "path: /a, backups: [b]}\n  b: {url: http://b, protocol: tools}\n")
    assert loaded.upstreams["b"].path == "/"


def test_a_link_of_a_fallback_names_as_well(folder) -> None:
    """In any policy; links that name a model alone name nobody."""
    loaded = folder.load(
        A + "path: /}\n  b: {url: http://b, protocol: tools}\n"
        "policies: [{name: p, fallback: {chain: [{upstream: b}, {model: small}]}},"
        " {name: q, fallback: {}}]"
    )
    assert loaded.upstreams["b"].path is None


def test_a_backup_needs_no_mount(folder) -> None:
    """It is there for others; one that gives a path is mounted as well."""
    loaded = folder.load(
        A + "backups: [b, c]}\n  b: {url: http://b, protocol: tools}\n"
        "  c: {url: http://c, protocol: tools, path: /c}"
    )
    assert {name: each.path for name, each in loaded.upstreams.items()} == {
        "a": "/", "b": None, "c": "/c",
    }  # fmt: skip
    assert loaded.upstreams["a"].backups == ("b", "c")


def test_backups_of_each_other_leave_nobody_at_the_root(folder) -> None:
    """One of them has to say that it stands there."""
    both = A + "backups: [b]}\n  b: {url: http://b, protocol: tools, backups: [a]}"
    assert folder.errors(both) == [
        "p.yaml:2:3: upstreams.a.path: no upstream is mounted at /; say path: / where agents come in"
    ]
    folder.load(both.replace("backups: [b]", "backups: [b], path: /"))


@pytest.mark.parametrize(
    ("backups", "message"),
    [
        ("[c]", "p.yaml:2:49: upstreams.a.backups[0]: no upstream has this name: c"),
        ("[b, bb]", "p.yaml:2:52: upstreams.a.backups[1]: no upstream has this name: bb; did you mean b?"),
        ("[a]", "p.yaml:2:49: upstreams.a.backups[0]: an upstream cannot be its own backup"),
        ("[b, b]", "p.yaml:2:52: upstreams.a.backups[1]: b stands before it already"),
        ("[h]", "p.yaml:2:49: upstreams.a.backups[0]: h speaks http; expected tools, as a does"),
    ],
)  # fmt: skip
def test_backups_that_cannot_be(folder, backups: str, message: str) -> None:
    """With the place of the name."""
    # `a` would have no mount, were it its own backup: another one stands at the root.
    at_root = "" if "a" in backups else "path: /, "
    text = f"{A}backups: {backups}, {at_root}auth: {{bearer: k}}}}\n" + (
        f"  b: {{url: http://b, protocol: tools, path: {'/b' if at_root else '/'}}}\n"
        "  h: {url: http://h, protocol: http, path: /h}\n"
    )
    assert folder.errors(text) == [message]


def test_what_is_wrong_with_an_upstream_makes_no_errors_of_others(folder) -> None:
    """Nobody knows whom it would have named; as a backup it is named all the same."""
    assert folder.errors(A.replace("http://a", "a") + "backups: [b]}\n  b: {url: http://b}") == [
        "p.yaml:2:12: upstreams.a.url: expected a URL that begins with http:// or https://"
    ]
    assert folder.errors(A + "backups: [b]}\n  b: {url: b, protocol: tools}") == [
        "p.yaml:3:12: upstreams.b.url: expected a URL that begins with http:// or https://"
    ]


def test_a_backup_whose_place_was_taken_is_none(folder) -> None:
    """By `run --upstream`: it would not be what was meant."""
    folder.write(A + "path: /a, backups: [b]}\n  b: {url: http://b, protocol: tools, path: /}")
    with pytest.raises(ConfigError) as caught:
        load_policies(folder.path, ("http://x", "tools"))
    (problem,) = caught.value.problems
    assert (problem.place.line, problem.message) == (2, "--upstream has taken the place of b")


def test_backups_of_an_upstream_that_was_replaced_stay_without_a_mount(folder) -> None:
    """They were not meant for agents."""
    folder.write(A + "backups: [b]}\n  b: {url: http://b, protocol: tools}")
    loaded = load_policies(folder.path, ("http://x", "tools"))
    assert {name: each.path for name, each in loaded.upstreams.items()} == {
        "b": None, "default": "/",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("policies", "warned"),
    [
        ("", True),
        ("policies: [{name: p, effect: write}]", True),
        ("policies: [{name: p, effect: read}]", False),
        ("policies: [{name: p, match: {tool: get_*, upstream: a}, effect: idempotent}]", False),
        ("policies: [{name: p, match: {tool: set_*}, effect: read}]", True),
    ],
)
def test_a_probe_that_may_write_is_warned_about(folder, policies: str, warned: bool) -> None:
    """It is called again and again."""
    found = folder.warnings(A + "health: {tool: get_balance}}\n" + policies)
    said = (
        "p.yaml:2:54: upstreams.a.health.tool: get_balance counts as a write, and is called again "
        "and again; say effect: read in a policy if it is one"
    )
    assert (said in found) is warned


def test_a_probe_of_a_path_is_no_call_of_a_tool(folder) -> None:
    """A GET is harmless."""
    assert folder.warnings(A + "health: {path: /healthz}}\npolicies: [{name: p}]") == []
