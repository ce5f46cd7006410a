"""Arguments in one form: the same come out the same, others do not."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.protocols import canonical
from proxy.protocols.canonical import Paths, counted, of_body, of_request, of_tool, paths_of
from proxy.protocols.document import Ambiguous
from proxy.protocols.recognise import HTTP, TOOLS

NONCE: Paths = (("nonce",),)

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def called(arguments: str) -> bytes:
    """A call with these arguments, as text."""
    return b'{"tool": "search", "input": ' + arguments.encode() + b"}"


def shuffled(value: Any) -> Any:
    """The same with all keys in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(documents)
def test_spelling_does_not_matter(arguments: Any) -> None:
    """The order of keys, white space, and how texts are escaped."""
    plain = json.dumps(arguments, ensure_ascii=False)
    other = json.dumps(shuffled(arguments), indent=3)
    assert of_tool(called(plain), ()) == of_tool(called(other), ())


pieces = st.sampled_from(
    [
        *("{", "}", "[", "]", ",", ":", '"', "\\", "\\u", "0022", "d800", '"a"', '"b"', '"\\""'),
        *("0", "-0", "-", "1", ".5", "e1", "null", "true", " ", "\n", "\x1f", "\x7f", "é"),
        *('{"a":', '"a":1,', '"\\u0061":1,', "9" * 20, "9" * 5000),
    ]
)


@given(st.lists(pieces, max_size=12).map("".join) | documents.map(json.dumps))
@example("[-0, -0.5, 0]")
@example('{"b": {"d": 1.50, "c": "-0 \\n"}, "a": "2026-01-05"}')
@example('{"a": "\\u0022", "a": 1}')
@example('{"a": ["\\ud800", -0, 1.0, null], "\\"": "\\\\u0022"}')
def test_the_short_way_leads_to_the_same(text: str) -> None:
    """Whatever is written, it is as if it were read with all care."""
    found: list[object] = []
    for read in (canonical._read, canonical._read_carefully):
        try:
            document = read(text.encode())
            found.append(canonical._one_form(document, document, ()))
        except Ambiguous as why:
            found.append(type(why))
    assert found[0] == found[1]


@pytest.mark.parametrize("arguments", ['{"a": {"c": 1.50, "b": ["\\n"]}}', '"2026-01-05"', "[]"])
def test_most_take_the_short_way(arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, escapes and dates do not hinder it."""
    monkeypatch.delattr(canonical, "_read_carefully")
    assert of_tool(called(arguments), ()) is not None


@pytest.mark.parametrize(
    "other", ['["\\ud801", 1]', '["\\ud800", 1.0]', '["\\ud800", "1"]', '"\\ud800"']
)
def test_half_a_character_counts_as_it_is_written(other: str) -> None:
    """Escaped in other letters it is the same, and in another order of keys."""
    one = of_tool(called('{"b": ["\\ud800", 1], "a": null}'), ())
    assert one == of_tool(called('{"a":null,"b":["\\uD800",1]}'), ())
    assert one != of_tool(called(f'{{"b": {other}, "a": null}}'), ())


@given(documents, documents)
def test_others_are_others(one: Any, other: Any) -> None:
    """However alike they look."""
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    found = of_tool(called(json.dumps(one)), ()), of_tool(called(json.dumps(other)), ())
    assert (found[0] == found[1]) == same


@pytest.mark.parametrize(
    "other", ["1.0", "1e0", "10e-1", '"1"', "true", "[1]", '{"": 1}', "-1", '"1.0"', "null"]
)
def test_numbers_count_as_they_are_written(other: str) -> None:
    """There are tools that tell 1 from 1.0, and a sending costs less than a wrong answer."""
    assert of_tool(called("1"), ()) != of_tool(called(other), ())


@pytest.mark.parametrize("number", ["9" * 5000, "1e999", "0.1000000000000000055"])
def test_no_number_is_too_large_or_too_fine(number: str) -> None:
    """None is rounded."""
    assert of_tool(called(number), ()) == number.encode()


def test_what_is_volatile_does_not_count() -> None:
    """At its own place only."""
    one = of_tool(called('{"nonce": 1, "a": {"nonce": 2}}'), NONCE)
    assert one == of_tool(called('{"a": {"nonce": 2}, "nonce": [3]}'), NONCE)
    assert one == of_tool(called('{"a": {"nonce": 2}}'), NONCE)
    assert one != of_tool(called('{"nonce": 1, "a": {"nonce": 3}}'), NONCE)


@pytest.mark.parametrize(
    ("arguments", "other"),
    [
        ('{"a": {"b": 1, "c": 2}}', '{"a": {"c": 2}}'),
        ('{"a": [{"b": 1}, {"b": 2}, 3]}', '{"a": [{}, {"b": 9}, 3]}'),
    ],
)
def test_a_path_leads_through_objects_and_lists(arguments: str, other: str) -> None:
    """Of a list through all members."""
    without: Paths = (("a", "b"),)
    assert of_tool(called(arguments), without) == of_tool(called(other), without)


@pytest.mark.parametrize("arguments", ["{}", '{"a": 1}', '{"a": []}', "1", "[]", '"a.b"'])
def test_a_path_may_lead_nowhere(arguments: str) -> None:
    """Then nothing is left out."""
    assert of_tool(called(arguments), (("a", "b"),)) == of_tool(called(arguments), ())


def test_where_the_path_names_the_tool_the_body_is_its_arguments() -> None:
    """All of it."""
    assert of_tool(b'{"nonce": 1, "input": 2}', NONCE) == of_tool(called('{"input": 2}'), NONCE)
    assert of_tool(b"[1]", ()) == of_tool(called("[1]"), ())


def test_a_list_of_arguments_may_name_input() -> None:
    """It has no members: nothing in it can be taken for another one."""
    content = b'[1, "input", "INPUT", "input"]'
    assert of_tool(content, ()) == of_tool(called(content.decode()), ())


def test_what_stands_beside_the_arguments_does_not_count() -> None:
    """Only they are asked for; but to have none is not to have null."""
    assert of_tool(b'{"tool": "a", "input": 1, "x": 2}', ()) == of_tool(called("1"), ())
    assert of_tool(b'{"tool": "a"}', ()) not in {of_tool(called("null"), ()), None}


@pytest.mark.parametrize(
    "content",
    [
        called('{"a": 1, "a": 1}'),
        called('[{"b": {"a": 1, "a": 2}}]'),
        called('{"a": 1, "\\u0061": 1}'),
        b'{"tool": "a", "input": 1, "input": 2}',
        b'{"tool": "a", "input": 1, "INPUT": 2}',
        b'{"tool": "a", "Input": 1}',
    ],
)
def test_a_key_that_stands_twice_is_ambiguous(content: bytes) -> None:
    """Wherever: the tool may read the other one."""
    with pytest.raises(Ambiguous):
        of_tool(content, ())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a=b",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"NaN",
        b'{"a": Infinity}',
        "{}".encode("utf-16-le"),
        b"[" * 100 + b"]" * 100,
        b"[" * 100_000,
    ],
)
def test_what_is_no_document_has_none(content: bytes) -> None:
    """Whoever lets it through must take it byte for byte."""
    assert of_tool(content, ()) is None


def test_what_is_too_deep_for_one_form_has_none() -> None:
    """Half a character costs two levels of ours for each of its own."""
    deep = b"[" * 700 + b"%b" + b"]" * 700
    assert of_body(deep % b'"\\u0041"', ()) == of_body(deep % b'"A"', ()) == deep % b'"A"'
    assert of_body(deep % b'"\\ud800"', ()) is None


@given(st.dictionaries(st.sampled_from(["tool", "input", "x"]), documents))
def test_all_of_a_body_may_be_arguments(body: dict[str, Any]) -> None:
    """Also of one that looks like a tool's: apart from what does not count."""
    content = json.dumps(body).encode()
    again = json.dumps(dict(reversed(body.items())), indent=1).encode()
    assert of_body(content, ()) == of_body(again, ())
    assert of_body(content, (("x",),)) == of_body(json.dumps(body | {"x": 1}).encode(), (("x",),))
    assert of_body(content, ()) != of_body(json.dumps(body | {"y": 1}).encode(), ())


def test_a_body_that_is_no_json_has_none() -> None:
    """Nor has one with a key twice one reading."""
    for content in (b"", b"{", b"a=b", b"\xff", b"[NaN]", b"[" * 100_000):
        assert of_body(content, ()) is None
    with pytest.raises(Ambiguous):
        of_body(b'{"x":1,"x":2}', ())


def test_texts_that_are_no_unicode_still_count() -> None:
    """Half a pair of surrogates can be written in JSON."""
    one, other = (of_tool(called(f'"\\ud80{digit}"'), ()) for digit in (0, 1))
    assert one is not None
    assert one != other


def test_tools_have_arguments() -> None:
    """Plain HTTP has a body."""
    assert (TOOLS.canonical(), HTTP.canonical()) == (of_tool, None)


def sent(text: str, **more: Any) -> bytes:
    """A message to an agent, as JSON-RPC."""
    message = {"messageId": "m", "parts": [{"text": text}]}
    said = {"id": 1, "method": "SendMessage", "params": {"message": message, "metadata": {"n": 1}}}
    return json.dumps({"jsonrpc": "2.0", **said, **more}).encode()


def test_a_message_is_the_same_whatever_its_ids_are() -> None:
    """Of the request, and its own."""
    again = sent("hi", id="2").replace(b'"m"', b'"other"')
    assert of_request(sent("hi"), ()) == of_request(again, ())
    assert of_request(sent("hi"), ()) != of_request(sent("ho"), ())
    assert of_request(sent("hi"), ()) != of_request(sent("hi", method="SendStreamingMessage"), ())
    other = sent("hi").replace(b'"n": 1', b'"n": 2')
    assert of_request(sent("hi"), ()) != of_request(other, ())
    without: Paths = (("metadata", "n"),)
    assert of_request(sent("hi"), without) == of_request(other, without)


def test_a_message_by_http_is_all_of_the_body() -> None:
    """It has no method, and is never taken for one that has."""
    one, other = (b'{"message": {"messageId": "%b"}}' % each for each in (b"a", b"b"))
    assert of_request(one, ()) == of_request(other, ()) != of_request(b"{}", ())
    assert of_request(b"[]", ()) != of_request(b'{"method": null, "params": []}', ())
    assert of_request(b'{"method": "a"}', ()) != of_request(b'{"method": "a", "params": {}}', ())


def test_what_is_no_message_has_no_form() -> None:
    """And what has two is refused."""
    assert of_request(b"{", ()) is None
    with pytest.raises(Ambiguous):
        of_request(b'{"method": "a", "method": "b"}', ())


def test_what_counts_of_a_body_is_its_arguments_or_all_of_it() -> None:
    """No body passes for the arguments of another one."""
    one = counted(called('{"a": 1, "b": 2}'), None, of_tool, (("b",),))
    assert one == counted(called('{"b": 3, "a": 1}'), None, of_tool, (("b",),))
    assert one[:1] == b":"
    assert counted(one, None, of_tool, ()) == b"=" + one
    assert counted(b"{}", None, None, ()) == counted(b"{}", b"gzip", of_tool, ()) == b"={}"


def test_paths_are_written_as_they_are_in_policies() -> None:
    """Below `input`."""
    assert paths_of(("input.a", "input.b.c")) == (("a",), ("b", "c"))
    with pytest.raises(ValueError, match=r"expected a path such as input\.nonce, found 'a'"):
        paths_of(("input.a", "a"))
