"""proxy/observe/family.py"""

from proxy.observe.family import LONG, STEP, Histogram, at_once, each, summed


def pauses(making):
    """How often it lets others go first."""
    return sum(1 for _ in making)


def test_a_copy_of_a_histogram_stays_what_it_was():
    """What is counted later is not in it."""
    histogram = Histogram(LONG)
    histogram.counts[0] += 1
    copy = histogram.spread()
    histogram.counts[0] += 1
    assert (copy.count, copy.upto[0], copy.upto[-1]) == (1, (500, 1), (LONG[-1], 1))


def test_rows_of_one_name_are_added_up():
    """Several tools may share `other`."""
    assert at_once(summed([(("a",), 1), (("b",), 2), (("a",), 3)])) == {("a",): 4, ("b",): 2}


def test_each_row_is_asked():
    """One of which nothing is said is not there."""
    rows = [(("a",), 1), (("b",), 2)]
    assert at_once(each(rows, lambda n: n * 10 if n == 1 else None)) == {("a",): 10}


def test_long_lists_are_read_in_steps():
    """A pause after so many rows."""
    rows = [((str(i),), i) for i in range(10 * STEP)]
    assert pauses(summed(rows)) == 10
    assert pauses(each(rows, lambda n: n)) == 10
