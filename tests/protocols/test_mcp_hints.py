"""What servers say of their tools' effects: learned by upstream, bounded, and no more than that."""

import pytest

from proxy.call import Effect
from proxy.protocols import mcp_hints
from proxy.protocols.mcp_hints import Annotations, Hints, Listed
from proxy.protocols.protocol import Rules

HERE = Rules(upstream="files", origin=b"http://here")
READS = Annotations(read_only_hint=True)


@pytest.mark.parametrize(
    ("reads", "destroys", "idempotent", "effect"),
    [
        (None, None, None, Effect.WRITE),
        (True, None, None, Effect.READ),
        (True, False, True, Effect.READ),
        (True, True, None, Effect.WRITE),
        (True, True, True, Effect.WRITE),
        (False, None, True, Effect.IDEMPOTENT),
        (None, True, True, Effect.IDEMPOTENT),
        (None, False, None, Effect.WRITE),
    ],
)
def test_hints_come_to_an_effect(reads, destroys, idempotent, effect):
    """Where they contradict each other, to the worst."""
    assert Annotations(reads, destroys, idempotent).effect is effect


def test_what_is_learned_of_a_tool_is_known_until_it_says_otherwise():
    """A newer list that says nothing of it takes it back; a page without it does not."""
    hints = Hints()
    assert hints.effect(HERE, "look") is Effect.WRITE
    hints.learn(HERE, [Listed("look", READS), Listed("push")])
    assert hints.effect(HERE, "look") is Effect.READ
    assert hints.effect(HERE, "push") is Effect.WRITE
    hints.learn(HERE, [Listed("other", Annotations(idempotent_hint=True))])
    assert hints.effect(HERE, "look") is Effect.READ
    assert hints.effect(HERE, "other") is Effect.IDEMPOTENT
    hints.learn(HERE, [Listed("look")])
    assert hints.effect(HERE, "look") is Effect.WRITE


def test_another_place_of_the_same_name_is_not_believed():
    """A reload may turn a name to another server."""
    hints = Hints()
    hints.learn(HERE, [Listed("look", READS)])
    assert hints.effect(Rules(upstream="files", origin=b"http://there"), "look") is Effect.WRITE


def test_it_is_bounded(monkeypatch):
    """Of many upstreams and tools the last are kept; a name that is too long is not."""
    monkeypatch.setattr(mcp_hints, "_MOST_UPSTREAMS", 2)
    monkeypatch.setattr(mcp_hints, "_MOST_TOOLS", 2)
    hints = Hints()
    places = [Rules(upstream=name) for name in "abc"]
    for place in places:
        hints.learn(place, [Listed(name, READS) for name in ("1", "2", "3", "x" * 257)])
    assert [hints.effect(place, "3") for place in places] == [
        Effect.WRITE,
        Effect.READ,
        Effect.READ,
    ]
    assert hints.effect(places[2], "1") is Effect.WRITE
    assert hints.effect(places[2], "x" * 257) is Effect.WRITE
