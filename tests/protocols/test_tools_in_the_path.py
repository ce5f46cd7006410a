"""A tool that its path names: found by whatever spelling, or refused (spec 2.2)."""

import itertools
import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.protocols.protocol import Rules
from proxy.protocols.tools import path_tool
from tests.protocols.test_tools import FREE, asked, tool_of


@pytest.mark.parametrize(
    ("target", "tool"),
    [
        (b"/v1/search", "search"),
        (b"/v1/search/", "search"),
        (b"/V1/search", "search"),
        (b"/gw/v1/search?x=/v1/other", "search"),
        (b"/v1/v1", "v1"),
        (b"/v1/v1/search", "search"),
        (b"/%76%31/search", "search"),
        (b"/v1/se%61rch", "search"),
        (b"/v1/se%2561rch", "se%61rch"),
        (b"/v1/a.b:c@d,e=f", "a.b:c@d,e=f"),
        (b"/v1/...", "..."),
        (b"/v1", ""),
        (b"/v1/", ""),
        (b"/v1/search/more", ""),
        (b"/v2/search", ""),
        (b"/xv1/search", ""),
        (b"/v1x/search", ""),
        (b"/search", ""),
        (b"/v2//x/../y", ""),
        (b"/x?/v1/search", ""),
        (b"*", ""),
    ],
)
def test_the_tool_of_a_path(target, tool):
    """`…/v1/{tool}`, decoded once; the query has no say."""
    assert path_tool(target) == (tool, "")
    assert tool_of(b"{}", target=target) == tool


@pytest.mark.parametrize("byte", range(128))
def test_a_byte_of_a_name_may_be_escaped(byte):
    """What is printed as one letter is that letter; what could part or end a name is refused."""
    name, why = path_tool(b"/v1/a%%%02xz" % byte)
    if byte <= 0x20 or byte == 0x7F or chr(byte) in "/\\;":
        assert (name, bool(why)) == ("", True)
    else:
        assert (name, why) == (f"a{chr(byte)}z", "")


def test_a_name_in_the_path_is_utf_8():
    """It is the tool that a body would name by the same letters, escaped or not; or refused."""
    others = {}
    for tool in ("café", "¿qué?", "Éclair", "поиск", "検索", "🔍"):
        raw = tool.replace("?", "%3f").encode()
        for written in (raw, b"".join(b"%%%02X" % byte for byte in tool.encode())):
            name, why = path_tool(b"/v1/" + written)
            if not why and name != tool:
                others[tool] = name
    assert others == {}


def test_a_name_in_the_path_that_is_not_utf_8_is_refused():
    """Readers disagree about what it says."""
    passed = [byte for byte in range(128, 256) if not path_tool(b"/v1/a%%%02xz" % byte)[1]]
    assert passed == []


def upstreams_readings(target: bytes) -> set[bytes]:
    """The tools that upstreams may see: they decode, resolve, merge and cut in different ways."""
    path = unquote_to_bytes(target.partition(b"?")[0])
    found = set()
    for cut, turn, merge, resolve in itertools.product((False, True), repeat=4):
        seen = re.sub(rb";[^/]*", b"", path) if cut else path
        seen = seen.replace(b"\\", b"/") if turn else seen
        seen = re.sub(rb"/+", b"/", seen) if merge else seen
        seen = resolved(seen) if resolve else seen
        match = re.fullmatch(rb"(?:.*/)?v1/([^/]+)/?", seen, re.DOTALL | re.IGNORECASE)
        if match and match[1] not in {b".", b".."}:
            found.add(match[1])
    return found


def resolved(path: bytes) -> bytes:
    """Without its dot segments (RFC 3986 5.2.4)."""
    kept: list[bytes] = []
    segments = path.split(b"/")
    for segment in segments:
        if segment == b"..":
            kept = kept[:1] + kept[1:-1]
        elif segment != b".":
            kept.append(segment)
    ends_open = segments[-1] in {b".", b".."}
    return b"/".join(kept) + (b"/" if ends_open else b"")


pieces = st.sampled_from(
    [b"v1", b"V1", b"%761", b"search", b"s%65arch", b"blocked", b".", b"..", b"%2e", b".%2E", b"",
     b";a=b", b"v1;x", b"..;", b"search;x", b"%3b", b"%2F", b"%5c", b"\\", b"x\\y", b"%00", b"a%20"]
)  # fmt: skip


@given(st.lists(pieces, min_size=1, max_size=6), st.sampled_from([b"", b"?a=/v1/x"]))
@example([b"v1;x", b"blocked"], b"")
@example([b"v1", b"x", b"..;", b"blocked"], b"")
@example([b"v1", b"blocked", b";x"], b"")
def test_all_upstreams_find_the_tool_that_was_found(segments, query):
    """They cut parameters, turn backslashes, merge slashes, resolve dots; or it is refused."""
    target = b"/" + b"/".join(segments) + query
    name, why = path_tool(target)
    if not why:
        assert upstreams_readings(target) <= {name.encode()}


@given(st.text(min_size=1, max_size=20).filter(lambda name: name not in {".", ".."}))
def test_a_name_that_is_refused_holds_something_doubtful(name):
    """Letters, digits and marks of any language are no reason to refuse, unescaped or escaped."""
    written = b"".join(b"%%%02x" % byte for byte in name.encode())
    found, why = path_tool(b"/v1/" + written)
    if re.fullmatch(r"[A-Za-z0-9._~:@!$&'()*+,=-]+", name):
        assert (found, why) == (name, "")


@pytest.mark.parametrize("target", [b"/v1/a%2fb", b"/v1//a", b"/v1/./a", b"/v1/a%00", b"/v1\\a"])
def test_a_doubtful_path_is_refused_whatever_the_body(target):
    """Also where the body says plainly what it is."""
    for content in (FREE, b"{}", b"tool=free"):
        assert tool_of(content, target=target) is None
    lenient = Rules(pass_unrecognised=True)
    assert tool_of(FREE, target=target, rules=lenient) is None


def test_a_path_and_a_body_that_name_different_tools_are_refused():
    """400 `ambiguous_call`; the same name twice is one name."""
    _, refusal = asked(FREE, target=b"/v1/other")
    assert refusal is not None
    assert refusal.code == "ambiguous_call"
    assert tool_of(FREE, target=b"/v1/fr%65e") == "free"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{}", b"application/json"),
        (b'{"input":{"tool":"x"}}', b"application/json"),
        (b'{"tool":""}', b"application/json"),
        (b"[1]", b"application/json"),
        (b"q=1", b"application/x-www-form-urlencoded"),
    ],
)
def test_the_path_names_the_tool_where_the_body_does_not(content, kind):
    """Whatever the body is."""
    assert tool_of(content, {b"content-type": kind}, b"/v1/search") == "search"
