"""Durations, sizes, rates and money, as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.units import Delay, Moment, Money, Rate, Seconds, Size, in_utc, is_measure

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("10s", 10.0),
        ("1.5s", 1.5),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("30d", 2_592_000.0),
        ("0s", 0.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """In memory they are seconds."""
    assert Seconds.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"), [("0B", 0), ("512B", 512), ("64KiB", 65536), ("1MiB", 2**20), ("2GiB", 2**31)]
)
def test_sizes(text: str, size: int) -> None:
    """In memory they are bytes."""
    assert Size.parse(text) == size


@given(st.integers(0, 10**9), st.integers(0, 999), st.sampled_from(sorted(SECONDS)))
def test_any_duration_is_its_number_times_its_unit(whole: int, part: int, unit: str) -> None:
    """With and without a fraction."""
    assert Seconds.parse(f"{whole}{unit}") == pytest.approx(whole * SECONDS[unit])
    spelled = f"{whole}.{part:03d}"
    assert Seconds.parse(spelled + unit) == pytest.approx(float(spelled) * SECONDS[unit])


@given(st.integers(0, 10**12), st.sampled_from(sorted(BYTES)))
def test_any_size_is_its_number_times_its_unit(number: int, unit: str) -> None:
    """Exactly."""
    assert Size.parse(f"{number}{unit}") == number * BYTES[unit]


BAD: list[object] = [
    "", " ", "5", "s", "5 s", " 5s", "5s ", "5s\n", "-5s", "+5s", "5S", "5sec", "1h30m", ".5s",
    "5.s", "1e3s", "1_000s", "5s5s", "inf", "nan s", "0x5s", None, 5, 5.0, True, [], {"s": 5},
    b"5s", "\u0663s", "9" * 16 + "s", "0." + "1" * 16 + "s",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=repr)
def test_what_is_no_duration(text: object) -> None:
    """Is refused with what is allowed and what was found: a number alone may mean anything."""
    with pytest.raises(ValueError, match="expected a duration such as 250ms") as error:
        Seconds.parse(text)
    assert repr(text) in str(error.value)


BAD_SIZES: list[object] = [
    "", "5", "KiB", "64KB", "64kib", "64 KiB", "1.5MiB", "-1B", "1TiB", "1B\n", 64, None, b"1B",
    "\u0663B", "9" * 16 + "B",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_SIZES, ids=repr)
def test_what_is_no_size(text: object) -> None:
    """Likewise; halves of bytes and decimal units are not known."""
    with pytest.raises(ValueError, match="expected a size such as 64KiB") as error:
        Size.parse(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    ("text", "number", "interval"),
    [("10/s", 10, 0.1), ("600/m", 600, 0.1), ("100/h", 100, 36.0), ("1000/d", 1000, 86.4)],
)
def test_rates(text: str, number: int, interval: float) -> None:
    """They stay as they are written; so many in one unit, and the seconds from one to the next."""
    rate = Rate.parse(text)
    assert (str(rate), rate.number) == (text, number)
    assert rate.interval == pytest.approx(interval)


BAD_RATES: list[object] = [
    "", "10", "/s", "10/", "10s", "0/s", "010/s", "1.5/s", "-1/s", "10 / s", "10/sec", "10/S",
    "10/w", "10/ms", "10/s\n", "1" * 10 + "/s", "\u0663/s", 10, 10.0, None, True, b"10/s",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_RATES, ids=repr)
def test_what_is_no_rate(text: object) -> None:
    """Likewise. What is to be no call at all is denied, not limited to none."""
    with pytest.raises(ValueError, match="expected a rate such as 10/s, 600/m, 100/h or 1000/d"):
        Rate.parse(text)


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("0", 0),
        ("0.05", 50_000),
        (".5", 500_000),
        ("25", 25_000_000),
        ("0.000001", 1),
        ("1000000000.000000", 10**15),
        ("5e-05", 50),
        ("1.2e-05", 12),
        (0.05, 50_000),
        (1e-06, 1),
        (25, 25_000_000),
        (0, 0),
    ],
)
def test_money(written: object, micros: int) -> None:
    """In memory it is micro-dollars; a number counts as its shortest spelling."""
    assert Money.parse(written) == micros


@given(st.integers(0, 10**15))
def test_any_money_is_what_is_written(micros: int) -> None:
    """To the last micro-dollar, also of what a float cannot hold; and it is written so again."""
    text = f"{micros // 10**6}.{micros % 10**6:06}"

    assert Money.parse(text) == micros
    assert Money.parse(Money.parse(text).dollars) == micros


BAD_MONEY: dict[str, list[object]] = {
    "US dollars such as 0.05": [
        "", ".", "5.", "5 ", "$5", "5 USD", "1,000", "1_000", "1e3", "0x10", "+5", "nan", "inf",
        "-inf", "5\n", "\u0663", "1" * 11, True, None, b"5", [], float("nan"), float("inf"),
    ],
    "US dollars that are not negative": ["-1", "-0.05", "-5e-05", -1, -0.5],
    "US dollars with at most 6 decimal places": [
        "0.0000001", "1.0000000", ".1234567", "1e-07", 1e-07, 0.1 + 0.2,
    ],
    "at most 1,000,000,000 US dollars": ["1000000000.000001", "9999999999", 1000000001],
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"),
    [(text, wanted) for wanted, texts in BAD_MONEY.items() for text in texts],
    ids=repr,
)
def test_what_is_no_money(text: object, wanted: str) -> None:
    """Says what is wrong: it might mean anything, be too fine, negative or absurd."""
    with pytest.raises(ValueError, match=f"^expected {wanted}, found "):
        Money.parse(text)


@given(st.text())
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    """A duration, a size and money come out, or a ValueError."""
    for unit in (Seconds, Size, Money):
        try:
            assert unit.parse(text) >= 0
        except ValueError as error:
            assert repr(text) in str(error)  # noqa: PT017 -- either outcome is right


def test_a_delay_may_be_measured() -> None:
    """`p95` is no number of seconds; anything else is a duration."""
    assert Delay.parse("p95").measured
    assert (Delay.parse("800ms"), Delay.parse("800ms").measured) == (0.8, False)
    with pytest.raises(ValueError, match=r"expected p95, or a duration such as .*, found 'p99'"):
        Delay.parse("p99")


@pytest.mark.parametrize(("text", "measure"), [("9s", True), ("1MiB", True), ("hunter2", False)])
def test_durations_and_sizes_are_told_from_texts(text, measure):
    """By how they are spelled."""
    assert is_measure(text) is measure


def test_moments() -> None:
    """With a zone, for machines have several. What the journal writes can be read, too."""
    assert Moment.parse("2001-09-09T01:46:40Z") == Moment.parse("2001-09-09T03:46:40+02:00") == 1e9
    assert Moment.parse("2001-09-09T01:46:40.123456789Z") == 1e9 + 0.123456
    assert in_utc(1e9) == "2001-09-09T01:46:40.000Z"
    assert in_utc(1e9, "seconds") == "2001-09-09T01:46:40Z"


@pytest.mark.parametrize("text", ["", "soon", "2001-09-09T01:46:40", "2001-09-09", 7, None])
def test_what_is_no_moment(text: object) -> None:
    """It says what is one."""
    with pytest.raises(ValueError, match="expected a moment such as"):
        Moment.parse(text)
