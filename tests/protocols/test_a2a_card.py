# ruff: noqa: E501 -- tables read as tables
"""Where an agent card leads, and what is changed of it."""

import json
from typing import Any

import pytest
from hypothesis import given

from proxy.protocols.a2a_card import ELSEWHERE, NOWHERE, SIGNED, Place, rewritten
from tests.protocols.spellings import bodies, objects, values

THERE = Place("peer.internal", 9000, "", "http://127.0.0.1:8080/peer")
BASED = Place("peer.internal", 443, "/agents/a", "http://127.0.0.1:8080")
SIGNATURES = [{"protected": "eyJhbGciOiJFUzI1NiJ9", "signature": "QFdkNLNszlGj"}]


def card(**more: Any) -> dict[str, Any]:
    """As the SDK of 1.0 writes one."""
    return {
        "name": "Recipes",
        "supportedInterfaces": [
            {"url": "http://peer.internal:9000/a2a/jsonrpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
            {"url": "http://peer.internal:9000/a2a/rest", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
        ],
        "provider": {"organization": "Kitchen", "url": "http://peer.internal:9000/about"},
        "version": "1.0.0",
        "documentationUrl": "http://peer.internal:9000/docs",
        "capabilities": {"streaming": True},
        "skills": [{"id": "cook", "url": "http://peer.internal:9000/x"}],
        **more,
    }  # fmt: skip


def led(
    content: dict[str, Any] | bytes, place: Place = THERE, *, drop: bool = False, within: str = ""
) -> tuple[Any, str]:
    """The card as it passes on, None for one that is untouched, and the warning."""
    written = content if isinstance(content, bytes) else json.dumps(content).encode()
    found = rewritten(written, place, within=within, drop_signatures=drop)
    return (None if found.content is None else json.loads(found.content)), found.warning


def test_interfaces_lead_back_to_here() -> None:
    """All of them, and nothing else of the card is changed: it is read by people too."""
    after, warning = led(card())
    expected = card()
    expected["supportedInterfaces"][0]["url"] = "http://127.0.0.1:8080/peer/a2a/jsonrpc"
    expected["supportedInterfaces"][1]["url"] = "http://127.0.0.1:8080/peer/a2a/rest"
    assert after == expected
    assert warning == ""


def test_a_card_of_0_3_leads_back_to_here() -> None:
    """Its own URL, and its further interfaces."""
    after, warning = led(
        {
            "protocolVersion": "0.3.0",
            "url": "http://peer.internal:9000/",
            "preferredTransport": "JSONRPC",
            "additionalInterfaces": [
                {"url": "http://peer.internal:9000/v1", "transport": "HTTP+JSON"}
            ],
        }
    )
    assert after["url"] == "http://127.0.0.1:8080/peer/"
    assert after["additionalInterfaces"][0]["url"] == "http://127.0.0.1:8080/peer/v1"
    assert warning == ""


def test_readers_of_protobuf_take_other_names_too() -> None:
    """So these are led back as well."""
    after, _ = led(
        {
            "supported_interfaces": [{"url": "http://peer.internal:9000"}],
            "additional_interfaces": [{"url": "http://peer.internal:9000?a"}],
        }
    )
    assert after == {
        "supported_interfaces": [{"url": "http://127.0.0.1:8080/peer"}],
        "additional_interfaces": [{"url": "http://127.0.0.1:8080/peer?a"}],
    }


def test_a_card_may_stand_in_a_response() -> None:
    """Of GetExtendedAgentCard: what stands beside it is nobody's URL."""
    response = {"jsonrpc": "2.0", "id": 7, "url": "http://peer.internal:9000/", "result": card()}
    after, _ = led(response, within="result")
    assert after["url"] == "http://peer.internal:9000/"
    assert (
        after["result"]["supportedInterfaces"][0]["url"] == "http://127.0.0.1:8080/peer/a2a/jsonrpc"
    )


@pytest.mark.parametrize("result", [None, [], "http://peer.internal:9000/", {"message": {}}])
def test_a_response_without_a_card_is_left(result: Any) -> None:
    """Whatever it is."""
    assert led({"jsonrpc": "2.0", "id": 7, "result": result}, within="result") == (None, "")


@pytest.mark.parametrize(
    ("url", "place", "back"),
    [
        ("http://peer.internal:9000", THERE, "http://127.0.0.1:8080/peer"),
        ("HTTP://PEER.internal.:9000/A?b=c#d", THERE, "http://127.0.0.1:8080/peer/A?b=c#d"),
        ("https://peer.internal:9000/", THERE, "http://127.0.0.1:8080/peer/"),
        ("http://localhost:9000/a", THERE, "http://127.0.0.1:8080/peer/a"),
        ("http://127.0.0.1:9000/a", THERE, "http://127.0.0.1:8080/peer/a"),
        ("http://0.0.0.0:9000/a", THERE, "http://127.0.0.1:8080/peer/a"),
        ("http://[::]:9000/a", THERE, "http://127.0.0.1:8080/peer/a"),
        ("http://me:secret@peer.internal:9000/a", THERE, "http://me:secret@127.0.0.1:8080/peer/a"),
        ("https://peer.internal/agents/a", BASED, "http://127.0.0.1:8080"),
        ("https://peer.internal/agents/a/rpc", BASED, "http://127.0.0.1:8080/rpc"),
        ("https://peer.internal/agents/ab", BASED, None),
        ("https://peer.internal/", BASED, None),
        ("http://peer.internal/agents/a", BASED, None),
        ("http://peer.internal:9001/", THERE, None),
        ("http://peer.example:9000/", THERE, None),
        ("http://localhost/", THERE, None),
        ("grpc://peer.internal:9000", THERE, None),
        ("peer.internal:9000", THERE, None),
        ("http://peer.internal:x/", THERE, None),
        ("http://[peer/", THERE, None),
        ("/a2a", THERE, None),
    ],
)  # fmt: skip
def test_a_url_is_the_upstreams_by_host_port_and_path(
    url: str, place: Place, back: str | None
) -> None:
    """As we know it, or as it calls itself; in any letters, by either scheme."""
    after, warning = led({"url": url}, place)
    assert after == (None if back is None else {"url": back})
    assert warning == (ELSEWHERE if back is None else "")


def test_what_leads_elsewhere_is_told_beside_what_is_led_back() -> None:
    """A gRPC interface, say: calls of it are not seen here."""
    after, warning = led(
        {
            "supportedInterfaces": [
                {"url": "http://peer.internal:9000/"},
                {"url": "http://peer.internal:50051"},
            ]
        }
    )
    assert after["supportedInterfaces"] == [
        {"url": "http://127.0.0.1:8080/peer/"},
        {"url": "http://peer.internal:50051"},
    ]
    assert warning == ELSEWHERE


def test_a_signed_card_is_left_and_warned_about() -> None:
    """Its signatures would not hold."""
    assert led(card(signatures=SIGNATURES)) == (None, SIGNED)


def test_a_signed_card_loses_its_signatures_where_the_operator_says_so() -> None:
    """And leads back to here."""
    after, warning = led(card(signatures=SIGNATURES), drop=True)
    assert after["signatures"] == []
    assert after["supportedInterfaces"][0]["url"] == "http://127.0.0.1:8080/peer/a2a/jsonrpc"
    assert warning == ""


@pytest.mark.parametrize("drop", [False, True])
def test_a_signed_card_that_leads_elsewhere_keeps_its_signatures(drop: bool) -> None:
    """Nothing of it would be changed."""
    signed = {"url": "https://peer.example/", "signatures": SIGNATURES}
    assert led(signed, drop=drop) == (None, ELSEWHERE)


def test_no_signatures_are_none() -> None:
    """Some write an empty list."""
    after, warning = led({"url": "http://peer.internal:9000/", "signatures": []})
    assert (after["signatures"], warning) == ([], "")


def test_where_nobody_says_how_he_came_here_a_card_is_left() -> None:
    """HTTP/1.0 knows of no Host."""
    lost = Place("peer.internal", 9000, "")
    assert led(card(), lost) == (None, NOWHERE)
    assert led({"name": "x"}, lost) == (None, "")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"<html>", b"{", b'{"url":', b"\xff", b"[" * 100_000,
        b'{"url": 7, "supportedInterfaces": {"url": "http://peer.internal:9000"}}',
        b'{"supportedInterfaces": ["http://peer.internal:9000", null, {"url": null}, {}]}',
        b'{"url": ""}',
    ],
)  # fmt: skip
def test_what_is_no_card_passes_as_it_came(content: bytes) -> None:
    """And nobody is told."""
    assert led(content) == (None, "")


@given(bodies())
def test_no_answer_breaks_it(content: bytes) -> None:
    """An upstream may say anything."""
    rewritten(content, THERE, drop_signatures=True)


@given(objects(values), objects(values))
def test_what_stands_around_a_url_stays_byte_for_byte(one: str, other: str) -> None:
    """However it is written."""
    before, after = (
        f' {{"x":{one} ,\t"url" : {json.dumps(url)}, "y":\n[{other}] }}\n'.encode()
        for url in ("http://peer.internal:9000/ü", "http://127.0.0.1:8080/peer/ü")
    )
    assert rewritten(before, THERE, drop_signatures=False).content == after
