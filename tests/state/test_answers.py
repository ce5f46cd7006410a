"""What a call was answered: the same is known again, and nothing else is taken for it."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.refusal import Refusal
from proxy.reply import Failure, Reply, Result
from proxy.state.answers import LARGEST, Hearing, answer_of, shown, who_of
from tests.fakes import make_call, make_reply


def heard(content: bytes) -> Hearing:
    """All of an answer."""
    hearing = Hearing()
    hearing.all(content)
    return hearing


@given(st.binary(max_size=64), st.lists(st.integers(0, 64)))
def test_an_answer_is_the_same_in_pieces(content: bytes, cuts: list[int]) -> None:
    """However it came."""
    hearing = Hearing()
    ends = [*sorted(min(cut, len(content)) for cut in cuts), len(content)]
    at = 0
    for end in ends:
        hearing.saw(at, content[at:end])
        at = end
    hearing.ended()
    whole = heard(content)
    assert hearing.complete
    assert hearing.digest(200, b"") == whole.digest(200, b"")
    assert hearing.start.startswith(whole.start)


def test_only_the_beginning_is_held() -> None:
    """However long it is, and in whatever pieces it comes."""
    hearing = Hearing()
    for at in range(100):
        hearing.saw(at * 100, b"x" * 100)
    assert len(hearing.start) == 200
    assert hearing.size == 10_000


def test_what_differs_is_another_answer() -> None:
    """In its bytes, its status, or what its bytes mean."""
    answers = [(b"a", 200, b""), (b"b", 200, b""), (b"a", 201, b""), (b"a", 200, b"gzip")]
    digests = {heard(content).digest(status, coding) for content, status, coding in answers}
    assert len(digests) == len(answers)


def test_asking_twice_changes_nothing() -> None:
    """A digest may be asked for at the commit and at the end."""
    hearing = heard(b"a")
    assert hearing.digest(200, b"") == hearing.digest(200, b"")


def test_what_is_too_large_is_like_no_other() -> None:
    """Nobody says that two are the same of which only the beginnings were compared."""
    assert heard(b"x" * LARGEST).digest(200, b"") is not None
    assert heard(b"x" * (LARGEST + 1)).digest(200, b"") is None
    hearing = Hearing()
    hearing.saw(0, b"x" * LARGEST)
    assert hearing.digest(200, b"") == heard(b"x" * LARGEST).digest(200, b"")
    hearing.saw(LARGEST, b"x")
    assert hearing.digest(200, b"") is None


@pytest.mark.parametrize(
    "reply",
    [
        make_reply(Refusal("circuit_open", "No")),
        make_reply(429),
        make_reply(Failure.CANCELLED),
        make_reply(101, tunnel=object(), result=Result.SUCCESS),
        Reply(status=0),
    ],
    ids=["refused", "throttled", "cancelled", "tunnel", "nothing"],
)
def test_what_is_no_answer_says_nothing(reply: Reply) -> None:
    """It never ran, may be repeated later, or nobody heard it."""
    assert answer_of(make_call(), Hearing(), reply) is None
    assert answer_of(make_call(), None, make_reply(200)) is None


def test_failures_are_the_same_by_how_they_failed() -> None:
    """Texts of errors carry ids and times."""
    call = make_call()
    one = answer_of(call, heard(b"id 1"), make_reply(500))
    two = answer_of(call, heard(b"id 2"), make_reply(500))
    other = answer_of(call, heard(b"id 1"), make_reply(502))
    network = answer_of(call, Hearing(), make_reply(Failure.CONNECT))
    assert one is not None
    assert two is not None
    assert (one.digest, one.failing, one.status, one.start) == (two.digest, True, 500, b"id 1")
    assert len({each.digest for each in (one, other, network) if each is not None}) == 3


def test_a_good_answer_is_told_with_whose_it_is() -> None:
    """Only who came with the same credentials may be told of it again."""
    ann, bob = (make_call({b"authorization": name}) for name in (b"ann", b"bob"))
    answer = answer_of(ann, heard(b"hello"), make_reply(200, {b"content-encoding": b""}))
    assert answer is not None
    assert (answer.failing, answer.status, answer.start) == (False, 200, b"hello")
    assert answer.who == who_of(make_call({b"authorization": b"ann"})) != who_of(bob)


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (b'{"a":\n  1}', '{"a": 1}'),
        (b"x" * 500, "x" * 160),
        ("gr\u00fcn".encode()[:-2], "gr\ufffd"),
        (b"", None),
        (b"\x1b[31mred", None),
        (b" \n", None),
    ],
)
def test_only_text_is_shown(start: bytes, text: str | None) -> None:
    """In one line, and not more than a glance."""
    assert shown(start) == text


def test_what_an_answer_says_may_be_the_same_though_its_bytes_are_not() -> None:
    """Where its protocol knows: they name the request as well."""
    call = make_call()
    answers = [
        answer_of(call, heard(b"%d: %b" % (at, said)), make_reply(200, says=partial(bytes, said)))
        for at, said in enumerate((b"a", b"a", b"b"))
    ]
    digests = [answer.digest for answer in answers if answer is not None]
    assert len(digests) == 3
    assert digests[0] == digests[1] != digests[2]
