import os

import pytest

from proxy.config.disk import LARGEST, content


def test_reads_a_file(tmp_path):
    """Through links as well; of a long one a byte more than may be used."""
    (tmp_path / "a").write_bytes(b"a\r\n")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "long").write_bytes(bytes(LARGEST + 5))

    assert content(tmp_path / "b") == b"a\r\n"
    assert len(content(tmp_path / "long")) == LARGEST + 1


def test_what_is_no_file_is_an_error(tmp_path):
    """A folder, a pipe nobody writes into, a device that does not end, a name that is none."""
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path, tmp_path / "pipe", tmp_path / "a\0b", tmp_path / "gone"):
        with pytest.raises(OSError) as caught:
            content(path)
        assert caught.value.strerror
