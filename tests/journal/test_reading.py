"""Reading segments: in blocks of any size, compressed or not."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.journal.folder import File
from proxy.journal.reading import Reader, Unpacking, has_line, opening, opening_of, torn_at
from tests.journal.written import Written, lines


@given(st.lists(st.binary(max_size=20)), st.binary(max_size=5), st.integers(1, 30))
def test_lines_are_the_same_in_blocks_of_any_size(tmp_path_factory, texts, torn, block):
    """And what stands behind the last newline is told."""
    content = b"".join(text.replace(b"\n", b"") + b"\n" for text in texts)
    content += torn.replace(b"\n", b"")
    folder = tmp_path_factory.mktemp("blocks")
    (folder / "a.jsonl").write_bytes(content)
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(content))

    for name in ("a.jsonl", "a.jsonl.gz"):
        reader = Reader(folder / name, block)
        found = [line for lines in reader.blocks() for line in lines]
        assert found == content.split(b"\n")[:-1]
        assert reader.torn == content.split(b"\n")[-1]
        assert reader.read == (folder / name).stat().st_size or not content


def test_a_broken_archive_is_told_apart(tmp_path):
    """From what the operating system says."""
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"x" * 100)[:-9])

    with pytest.raises(Unpacking):
        list(Reader(tmp_path / "a.jsonl.gz").blocks())
    assert opening_of(File(1, tmp_path / "a.jsonl.gz")) is None


@pytest.mark.parametrize("behind", [b"x" * 40, b"\0" * 40, b""])
def test_what_stands_behind_a_packed_segment_is_no_part_of_it(tmp_path, behind):
    """Another file of gzip is read on, anything else is wrong; an empty file is cut off."""
    path = tmp_path / "a.jsonl.gz"
    two = gzip.compress(b"a\nb") + gzip.compress(b"\nc\n")
    path.write_bytes(two)
    assert list(Reader(path, block=2).blocks()) == [[b"a"], [b"b"], [b"c"]]

    path.write_bytes(two + behind if behind else b"")
    with pytest.raises(Unpacking):
        list(Reader(path).blocks())


def test_what_unpacks_to_much_is_taken_in_pieces(tmp_path):
    """A few kilobytes may say that they are gigabytes."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n" * 8_000_000))

    sizes = [len(lines) for lines in Reader(path, block=1 << 16).blocks()]
    assert (max(sizes), sum(sizes)) == (1 << 16, 8_000_000)


@pytest.mark.parametrize(
    ("content", "at"),
    [
        (b"", None), (b"a\n", None), (b"a\nbb\n", None),
        (b"a", 0), (b"a\nb", 2), (b"a\n\0", 2), (b"a\nb\0c\nd\n", 2), (b"\0\n", 0),
    ],
)  # fmt: skip
def test_where_an_end_is_torn(tmp_path, content, at):
    """Behind the last newline, or with the line in which a zero byte stands."""
    (tmp_path / "a").write_bytes(content)

    assert torn_at(tmp_path / "a") == at
    assert has_line(tmp_path / "a") == (b"\n" in content)


def test_a_head_is_known_by_its_first_line(tmp_path):
    """Another record is none, nor is nothing."""
    written = Written(tmp_path).open()
    written.note("a")
    head, other = lines(tmp_path)

    found = opening_of(written.folder.segments()[0])
    assert found is not None
    assert (found.head.segment, found.claims.seq) == (1, 1)
    assert opening(other) is None
    assert opening(b"") is None
    assert opening(head.replace(b'"segment":1', b'"segment":"x"')) is None
    assert opening(head.replace(b"holdfast/default", b"\xff\xfe")) is None
