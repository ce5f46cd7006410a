"""proxy/observe/text.py; that both texts are what Prometheus reads is tested in test_exposition."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse_text

from proxy.observe.catalogue import Kind, Metric
from proxy.observe.family import Family, Histogram, Rows, Spread
from proxy.observe.text import LINES, Writer

CALLS = Metric(Kind.COUNTER, "holdfast_a_total", ("tool",), 'With "quotes" and a \\.')
TOOK = Metric(Kind.HISTOGRAM, "holdfast_b_seconds", ("tool",), "How long.")
FACT = Metric(Kind.INFO, "holdfast_c_info", ("version",), "A fact.")
ALONE = Metric(Kind.HISTOGRAM, "holdfast_d_seconds", (), "Without labels.")
SPREAD = Spread((1_000, 2_500_000), (1, 2, 3), 7_500_000)
FAMILIES = (
    Family(CALLS, {("x",): 3}),
    Family(TOOK, {("x",): SPREAD}),
    Family(FACT, {("1",): 1}),
    Family(ALONE, {(): SPREAD}),
)


def written(*families, open_metrics=False):
    """In one piece."""
    return "".join(Writer(open_metrics).pieces(families))


def test_the_plain_text():
    """To the letter: what is stored under these names must not change."""
    assert written(*FAMILIES) == (
        '# HELP holdfast_a_total With "quotes" and a \\\\.\n'
        "# TYPE holdfast_a_total counter\n"
        'holdfast_a_total{tool="x"} 3.0\n'
        "# HELP holdfast_b_seconds How long.\n"
        "# TYPE holdfast_b_seconds histogram\n"
        'holdfast_b_seconds_bucket{tool="x",le="0.001"} 1.0\n'
        'holdfast_b_seconds_bucket{tool="x",le="2.5"} 3.0\n'
        'holdfast_b_seconds_bucket{tool="x",le="+Inf"} 6.0\n'
        'holdfast_b_seconds_count{tool="x"} 6.0\n'
        'holdfast_b_seconds_sum{tool="x"} 7.5\n'
        "# HELP holdfast_c_info A fact.\n"
        "# TYPE holdfast_c_info gauge\n"
        'holdfast_c_info{version="1"} 1.0\n'
        "# HELP holdfast_d_seconds Without labels.\n"
        "# TYPE holdfast_d_seconds histogram\n"
        'holdfast_d_seconds_bucket{le="0.001"} 1.0\n'
        'holdfast_d_seconds_bucket{le="2.5"} 3.0\n'
        'holdfast_d_seconds_bucket{le="+Inf"} 6.0\n'
        "holdfast_d_seconds_count 6.0\n"
        "holdfast_d_seconds_sum 7.5\n"
    )


def test_what_openmetrics_names_otherwise():
    """A counter and a fact are declared without their ending."""
    text = written(*FAMILIES, open_metrics=True)
    assert '# HELP holdfast_a With \\"quotes\\" and a \\\\.\n# TYPE holdfast_a counter\n' in text
    assert "# TYPE holdfast_c info\n" in text
    assert 'holdfast_a_total{tool="x"} 3.0\n' in text
    assert 'holdfast_c_info{version="1"} 1.0\n' in text


@given(st.text())
def test_any_text_is_a_label(value):
    """What comes out of the parser is what went in."""
    (family,) = parse_text(written(Family(CALLS, {(value,): 1})))
    assert family.samples[0].labels == {"tool": value}


def test_long_texts_come_in_pieces():
    """Each is some lines long, and none is lost."""
    rows: Rows = {(str(i),): i for i in range(3 * LINES)}
    pieces = list(Writer(False).pieces([Family(CALLS, rows), Family(TOOK, {("x",): SPREAD})]))
    assert [piece.count("holdfast_a_total{") for piece in pieces] == [LINES, LINES, LINES, 0]
    assert "".join(pieces).count("\n") == 3 * LINES + 2 + 2 + 5


def test_a_histogram_nothing_was_counted_of():
    """Its rows are there, and zero."""
    text = written(Family(TOOK, {("x",): Histogram((1, 2)).spread()}))
    assert 'le="1e-06"} 0.0\n' in text
    assert 'holdfast_b_seconds_sum{tool="x"} 0.0\n' in text
