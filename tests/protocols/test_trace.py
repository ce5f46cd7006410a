"""Trace context: what is believed of it, and what goes on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.trace import LONGEST_STATE, MOST_MEMBERS, Trace, kept_state, lines_of, parsed

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()


def test_a_valid_one_is_believed() -> None:
    """The trace, the span that called, and whether it is sampled."""
    assert parsed(PARENT) == Trace(TRACE, SPAN, "01", True)


@pytest.mark.parametrize(
    ("flags", "go_on", "sampled"),
    [("00", "00", False), ("01", "01", True), ("02", "02", False), ("03", "03", True),
     ("ff", "03", True), ("fe", "02", False), ("80", "00", False)],
)  # fmt: skip
def test_flags_that_mean_something_go_on(flags: str, go_on: str, sampled: bool) -> None:
    """Sampled, and that the id is chance; those without a meaning yet are cleared (3.2.2.5)."""
    trace = parsed(f"00-{TRACE}-{SPAN}-{flags}".encode())
    assert trace is not None
    assert (trace.flags, trace.sampled) == (go_on, sampled)


@pytest.mark.parametrize("more", ["", "-", "-what-comes", "-ünknown"])
def test_versions_to_come_are_read_as_far_as_they_are_known(more: str) -> None:
    """Whatever they have behind another dash."""
    assert parsed(f"cc-{TRACE}-{SPAN}-01{more}".encode()) == Trace(TRACE, SPAN, "01", True)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "-",
        "---",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-011",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-",
        f"0-{TRACE}-{SPAN}-01",
        f"000-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"0A-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0A",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}0-01",
        f"00-{TRACE}0-{SPAN[1:]}-01",
        f"00_{TRACE}_{SPAN}_01",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"cc-{TRACE}-{SPAN}-01more",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01, 01-{TRACE}-{SPAN}-01",
    ],
)
def test_what_is_not_exactly_so_is_not_believed(wrong: str) -> None:
    """Another length, another case, a version that cannot be, only zeros, a header twice."""
    assert parsed(wrong.encode()) is None


@given(st.binary(max_size=80))
def test_anything_may_come(value: bytes) -> None:
    """Nothing raises, and what is believed was there."""
    trace = parsed(value)
    assert trace is None or value[3:35].decode() == trace.id


@given(st.sampled_from(range(len(PARENT))), st.integers(0, 255))
def test_one_byte_that_is_another(at: int, byte: int) -> None:
    """What is believed is what the regular expression of the standard would take."""
    changed = PARENT[:at] + bytes([byte]) + PARENT[at + 1 :]
    digits = changed.replace(b"-", b"")
    valid = (
        all(digit in b"0123456789abcdef" for digit in digits)
        and len(digits) == 52
        and [n for n, sign in enumerate(changed) if sign == ord("-")] == [2, 35, 52]
    )
    assert (parsed(changed) is not None) == valid


@pytest.mark.parametrize(
    ("came", "goes_on"),
    [
        ("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", ",congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
        ("a=1, b=2 ,\tc=3", ",a=1,b=2,c=3"),
        ("a=1,,b=2,", ",a=1,b=2"),
        ("a=1,holdfast=00f067aa0ba902b7,b=2", ",a=1,b=2"),
        ("holdfast=00f067aa0ba902b7", ""),
        ("fw529a3039@dt=FfD/a b=c", ""),
        ("fw529a3039@dt=FfD/a b", ",fw529a3039@dt=FfD/a b"),
        ("1a-_*/=!", ",1a-_*/=!"),
        ("a=1,a=2", ",a=1,a=2"),
        ("", ""),
        (" , ", ""),
        ("A=1", ""),
        ("a=1,b", ""),
        ("a=", ""),
        ("=1", ""),
        ("a=1,b=\x7f", ""),
        ("a=ü", ""),
        (f"{'k' * 257}=1", ""),
        (f"a={'v' * 257}", ""),
    ],
)
def test_what_others_noted_stays(came: str, goes_on: str) -> None:
    """In its order, without ours of before; what is not valid goes as a whole."""
    assert kept_state(came.encode()) == goes_on


def test_there_are_at_most_32_members() -> None:
    """One of them is ours, and the last one makes room; more than 32 are not valid."""
    members = [f"bar{n}={n}" for n in range(MOST_MEMBERS + 1)]
    all_but_last = "".join(f",{member}" for member in members[: MOST_MEMBERS - 1])
    assert kept_state(",".join(members[:-2]).encode()) == all_but_last
    assert kept_state(",".join(members[:-1]).encode()) == all_but_last
    assert kept_state(",".join(members).encode()) == ""


def test_long_members_go_first() -> None:
    """Where not all can stay: those of more than 128 bytes, and then from the right."""
    long, short = f"long={'x' * 200}", [f"m{n:02}={'y' * 28}" for n in range(16)]
    exactly = ",".join(short)[:LONGEST_STATE]
    assert kept_state(exactly.encode()) == f",{exactly}"
    came = ",".join([long, *short])
    assert kept_state(came.encode()) == "".join(f",{member}" for member in short[:15])


MEMBERS = st.from_regex(r"[a-z0-9][a-z0-9_*/@-]{0,40}=[!-+\--<>-~]{1,160}", fullmatch=True)


@given(st.lists(MEMBERS, max_size=40))
def test_what_stays_is_what_came(members: list[str]) -> None:
    """Never more than fits, in the order of before, and the same whatever stands between them."""
    others = [member for member in members if not member.startswith("holdfast=")]
    kept = kept_state(",".join(members).encode())
    left = iter(others)
    assert all(any(one == other for other in left) for one in kept.split(",")[1:])
    assert len(kept) <= LONGEST_STATE + 1
    assert kept.count(",") < MOST_MEMBERS
    assert kept_state(" ,\t".join(members).encode()) == kept


def test_each_sending_has_its_own_lines() -> None:
    """Its span for the parent; our note stands left of all others."""
    trace = Trace(TRACE, SPAN, "03", True, state=",a=1,b=2")
    assert (
        lines_of(trace, "00f067aa0ba902b7")
        == (
            f"traceparent: 00-{TRACE}-00f067aa0ba902b7-03\r\n"
            "tracestate: holdfast=00f067aa0ba902b7,a=1,b=2\r\n"
        ).encode()
    )
