import pytest
import trustme

from proxy.config.addresses import Url
from proxy.config.loaded import Loaded
from proxy.config.match import Globs, Match
from proxy.config.places import Place
from proxy.config.types import (
    Auth,
    Bulkhead,
    HeaderName,
    Name,
    Policy,
    Secret,
    Tls,
    Upstream,
)
from proxy.units import Seconds


@pytest.mark.parametrize("text", ["a", "a-b.c_d/e", "A" * 64, "0"])
def test_names(text):
    """They stand in headers and labels."""
    assert Name.parse(text) == text


@pytest.mark.parametrize("text", ["", "a b", "-a", "A" * 65, "é", "a\n", 1])
def test_what_is_no_name(text):
    """It would break a header, or a label."""
    with pytest.raises(ValueError, match="expected a name"):
        Name.parse(text)


def test_a_secret_is_never_shown():
    """Not by printing, not by formatting, not inside of something else; it can be sent."""
    secret = Secret.parse("hunter2")
    assert secret.revealed == "hunter2"

    shown = f"{secret} {secret!r} {secret!s} {secret:>20} {Auth(bearer=secret)} {[secret]}"

    assert "hunter2" not in shown
    assert secret.encode() == b"hunter2"


@pytest.mark.parametrize("text", ["a\nb", " a", "é", 7])
def test_a_secret_must_fit_into_a_header(text):
    """Or it would split the head."""
    with pytest.raises(ValueError, match="expected"):
        Secret.parse(text)


def test_the_header_line_of_a_credential():
    """Bearer, or a header of another name."""
    assert Auth(bearer=Secret("k")).field == (b"authorization", b"Bearer k")
    assert Auth(header=HeaderName("X-Api-Key"), value=Secret("k")).field == (b"X-Api-Key", b"k")


def test_an_empty_credential_leaves_the_agents_own():
    """So one file serves with and without a key."""
    assert Auth(bearer=Secret("")).field is None
    assert Auth(header=HeaderName("a"), value=Secret("")).field is None


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"header": HeaderName("a")},
        {"value": Secret("b")},
        {"bearer": Secret("a"), "header": HeaderName("a"), "value": Secret("b")},
        {"bearer": Secret("a"), "value": Secret("b")},
    ],
)
def test_a_credential_is_one_of_two(given):
    """Half of one, or both, is an error."""
    with pytest.raises(ValueError, match="either bearer, or header and value"):
        Auth(**given)


@pytest.mark.parametrize("text", ["a b", "", "Host", "content-length", 1])
def test_headers_that_cannot_be_set(text):
    """No names at all, and those that belong to the connection."""
    with pytest.raises(ValueError, match="expected a header"):
        HeaderName.parse(text)


def test_authorities_must_be_there(tmp_path):
    """Said when the policies are loaded, not at the first call."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "empty.pem").write_text("")

    assert Tls(ca=str(tmp_path / "ca.pem")).ca
    for name, why in {
        "no.pem": "ca: cannot be read: No such file",
        "": "ca: cannot be read: Is a directory",
        "a" * 300: "ca: cannot be read: File name too long",
        "a\0b": "ca: cannot be read: not a name",
        "empty.pem": "ca: expected a PEM file of certificates",
    }.items():
        with pytest.raises(ValueError, match=why):
            Tls(ca=f"{tmp_path}/{name}")


def test_tools_that_policies_name_in_full_are_known():
    """Not globs, and not what is left out."""
    match = Match({"tool": Globs(("a", "get_*"), ("b",))})
    policies = [Policy("p", Place(""), "", match), Policy("q", Place(""), "")]

    assert Loaded("v", policies=tuple(policies)).tools == {"a"}


def test_an_agent_is_in_the_first_bulkhead_that_has_it():
    """Or in none."""
    wanted = {"core": ("a-*", "b"), "rest": ("a-1", "c")}
    bulkheads = tuple(
        Bulkhead(name, Place(""), "", Globs.of(globs), 1, 0, Seconds(1.0))
        for name, globs in wanted.items()
    )
    loaded = Loaded("v", bulkheads=bulkheads)

    assert [loaded.domain(agent) for agent in ("a-1", "b", "c", "d", "")] == [
        *("core", "core", "rest", "", "")
    ]


@pytest.mark.parametrize(
    ("auth", "credentials"),
    [
        (None, ()),
        (Auth(bearer=Secret("a")), ((b"authorization", b"Bearer a"),)),
        (Auth(bearer=Secret("")), ()),
        (
            (
                Auth(bearer=Secret("a")),
                Auth(bearer=Secret("")),
                Auth(header=HeaderName("X-Key"), value=Secret("b")),
            ),
            ((b"authorization", b"Bearer a"), (b"X-Key", b"b")),
        ),
    ],
)
def test_an_upstream_may_have_several_credentials(auth, credentials):
    """In their order, without those that are empty."""
    assert Upstream(url=Url("http://h"), auth=auth).credentials == credentials
