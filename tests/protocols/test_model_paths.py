"""Which operation of a model API a path names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.model_paths import Path, find_path, is_listing

OPERATIONS = ("chat/completions", "completions", "responses")


def found(target: bytes) -> Path:
    """What is found in it."""
    return find_path(OPERATIONS, target)


@pytest.mark.parametrize(
    ("target", "operation"),
    [
        (b"/v1/chat/completions", "chat/completions"),
        (b"/chat/completions", "chat/completions"),
        (b"/some/base/v1/chat/completions?api-version=1", "chat/completions"),
        (b"/v1/completions", "completions"),
        (b"/v1/responses/", "responses"),
        (b"/v1/responses/resp_1/cancel", ""),
        (b"/v1/chat/completions/chatcmpl-1", ""),
        (b"/v1/mycompletions", ""),
        (b"/v1/x?chat/completions", ""),
        (b"/", ""),
        (b"*", ""),
        (b"", ""),
    ],
)
def test_an_operation_is_known_by_the_end_of_its_path(target: bytes, operation: str) -> None:
    """Whatever stands before it, and not by half of a word."""
    assert found(target) == Path(operation)


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/chat/%63ompletions", b"/v1/Chat/COMPLETIONS", b"/v1//chat//completions//",
        b"/v1/chat%2Fcompletions", b"/v1/chat%252fcompletions", b"/v1/chat/./completions",
        b"/v1/chat/x/../completions", b"/v1/chat/completions/%2e", b"/v1\\chat\\completions",
        b"/v1/chat/completions;x=1", b"/v1/chat/completions%00", b"/v1/chat/completions%3Fx",
        b"/v1/chat/completions%20", b"/v1/chat/completions%23x",
    ],
)  # fmt: skip
def test_no_spelling_hides_an_operation(target: bytes) -> None:
    """What the most lenient server takes for it is it."""
    assert found(target).operation == "chat/completions"


@pytest.mark.parametrize(
    ("target", "model"),
    [
        (b"/openai/deployments/my-gpt4/chat/completions?api-version=2024-10-21", "my-gpt4"),
        (b"/openai/deployments/My.GPT_4/responses/", "My.GPT_4"),
        (b"/v1/engines/davinci/completions", "davinci"),
        (b"/openai/deployments/a%20b/completions", "a b"),
        (b"/openai/Deployments/x/completions", "x"),
        (b"/deployments/completions", ""),
    ],
)
def test_a_path_may_name_the_model(target: bytes, model: str) -> None:
    """As Azure's do, in the letters in which it stands there."""
    assert found(target).model == model
    assert not found(target).deceptive


@pytest.mark.parametrize(
    "target",
    [
        b"/deployments/a%2Fb/completions", b"/deployments/a/x/../completions",
        b"/deployments//a/completions", b"/deployments/a;b/completions",
        b"/deployments/a/completions/%2e", b"/deployments/a%252Fb/completions",
    ],
)  # fmt: skip
def test_a_model_in_the_path_has_one_reading(target: bytes) -> None:
    """Around it nothing may be read in more than one way."""
    assert found(target).deceptive


@given(st.binary())
def test_any_path_can_be_asked(target: bytes) -> None:
    """It is the agent's to choose."""
    path = found(target)
    assert path.operation in {"", *OPERATIONS}
    assert not (path.model and path.deceptive)


@pytest.mark.parametrize(
    ("path", "listing"),
    [
        ("/v1/models", True),
        ("/models/", True),
        ("/v1/models/gpt-4o", True),
        ("/v1/models/org/name:latest", True),
        ("/v1/models/a/b/c", False),
        ("/v1/models/..%2Ffiles", False),
        ("/v1/models/a;b", False),
        ("/v1/mymodels", False),
        ("/v1/files", False),
    ],
)
def test_models_can_be_listed(path: str, listing: bool) -> None:
    """All, or one of them, where nothing else can be meant."""
    assert is_listing(path) is listing
