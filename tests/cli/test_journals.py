"""What the commands of the journal share."""

import json

import pytest

from proxy.cli.journals import Failed, harmless, reading


@pytest.mark.parametrize("text", ['{"a":1}', '{"a":"é\u202e"}', '{"a":"\x7f\U0001f600"}'])
def test_harmless_json_means_the_same(text):
    """And has nothing in it that is not plain."""
    made = harmless(text)

    assert json.loads(made) == json.loads(text)
    assert made.isascii()
    assert made.isprintable()


def test_plain_json_stays_as_it_is():
    """Byte for byte."""
    assert harmless('{"a": "\\u001b"}') == '{"a": "\\u001b"}'


def test_a_file_that_cannot_be_read(tmp_path):
    """Exit 2, with its name; an error of standard output is not one."""
    with pytest.raises(Failed, match="x cannot be read: No such file") as failed, reading(tmp_path):
        (tmp_path / "x").read_bytes()
    assert failed.value.exit_code == 2
    with pytest.raises(BrokenPipeError), reading(tmp_path):
        raise BrokenPipeError(32, "Broken pipe")
