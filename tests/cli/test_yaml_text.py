"""proxy/cli/yaml_text.py"""

import yaml

from proxy.cli.yaml_text import text_of


def test_the_order_stays_and_lines_are_lines():
    """Long texts are blocks, lists are indented."""
    made = {"b": ["x\ny\n"], "a": "one"}
    assert text_of(made) == "b:\n  - |\n    x\n    y\na: one\n"


def test_what_is_there_twice_is_written_twice():
    """No anchors, which not every reader knows."""
    labels = {"a": "1"}
    assert text_of([labels, labels]) == "- a: '1'\n- a: '1'\n"


def test_it_reads_back_as_it_was():
    """Whatever looks like something else is quoted."""
    made = {"on": "yes", "number": "01", "text": "{{ $value }}: é", "none": None, "f": 0.5}
    assert yaml.safe_load(text_of(made)) == made
