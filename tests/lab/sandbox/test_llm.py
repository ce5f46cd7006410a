"""proxy/lab/sandbox/llm.py"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.llm import Prompt, Usage, Written, limit, read_wish, write
from proxy.lab.sandbox.said import Head

FIGURES = st.none() | st.integers(0, 500)


def prompt(**changed: Any) -> Prompt:
    body: dict[str, Any] = {"text": "Hello"}
    asked: dict[str, Any] = {
        "model": "m", "body": body, "read": "Hello", "most": None, "tool": None, "thinks": False,
    }  # fmt: skip
    return Prompt(**{**asked, **changed})


def said(wish: Usage | None = None, seed: int = 0, choice: int = 0, **changed: Any) -> Written:
    return write(seed, prompt(**changed), wish or Usage(), choice)


def test_the_seed_the_body_and_the_choice_make_the_answer() -> None:
    """The same for the same, another for another; how it is sent changes nothing."""
    assert said().text() == said().text()
    others = [said(seed=1), said(choice=1), said(body={"text": "Bye"})]
    assert said().text() not in [other.text() for other in others]
    assert said(body={"text": "Hello", "stream": True}).identity == said().identity


@given(
    wish=st.builds(
        Usage,
        input=FIGURES, output=FIGURES, cached=FIGURES, cache_write=FIGURES,
        cache_write_1h=FIGURES, reasoning=FIGURES,
    ),
    most=st.none() | st.integers(1, 300),
)  # fmt: skip
def test_figures_never_contradict_each_other(wish: Usage, most: int | None) -> None:
    """Whatever is wished for: parts are not more than the whole, limits are kept."""
    written = said(wish, most=most)
    used = written.used
    assert 0 <= used.cache_write_1h <= used.cache_write
    assert used.cached + used.cache_write <= used.input
    assert 0 <= used.reasoning <= used.output
    assert most is None or used.output <= most
    assert len(list(written.pieces())) == used.output - used.reasoning


def test_a_wish_is_granted() -> None:
    """To the token."""
    used = said(Usage(input=9, output=8, cached=3, cache_write=2, reasoning=4)).used
    assert (used.input, used.output, used.cached, used.reasoning) == (9, 8, 3, 4)


@pytest.mark.parametrize(("schema", "kinds"), [
    ({"type": "string"}, str), ({"type": "integer"}, int), ({"type": "number"}, float),
    ({"type": "boolean"}, bool), ({"type": "array"}, list), ({"type": "object"}, dict),
    ({"enum": ["a"]}, str), ({}, type(None)), (True, type(None)),
])  # fmt: skip
def test_arguments_are_of_their_types(schema: object, kinds: type) -> None:
    """As far as a simple schema goes."""
    call = said(tool=("f", {"properties": {"x": schema}})).tool
    assert call is not None
    given: Any = call.given()
    assert isinstance(given["x"], kinds)


@pytest.mark.parametrize("schema", [None, {}, {"properties": []}])
def test_a_tool_without_input(schema: object) -> None:
    """Is called with nothing."""
    call = said(tool=("f", schema)).tool
    assert call is not None
    assert (call.arguments, "".join(call.pieces())) == ("{}", "{}")


def test_a_model_that_is_not_there() -> None:
    """Its name says so."""
    with pytest.raises(GatewayError, match="unknown-1"):
        said(model="unknown-1")


def wish(text: str) -> Usage:
    return read_wish(Head("POST", "/", {}, {"x-sandbox-usage": text}))


def test_a_wish_is_read() -> None:
    """Names and figures, in any order; none is none."""
    assert wish("output=5; input=7;") == Usage(input=7, output=5)
    assert wish("") == Usage()


@pytest.mark.parametrize("text", ["output", "output=", "output=-1", "words=5", "output=1000001"])
def test_a_wrong_wish_is_refused(text: str) -> None:
    """And named."""
    with pytest.raises(GatewayError, match="x-sandbox-usage"):
        wish(text)


@pytest.mark.parametrize("given", [0, True, "5"])
def test_a_wrong_limit_is_refused(given: object) -> None:
    """It is a whole number over 0."""
    with pytest.raises(GatewayError, match="most"):
        limit({"most": given}, "most")
