"""The tree over all records (RFC 6962 2.1), and proofs from it.

A record's leaf is its hash, 32 raw bytes, so that its leaf hash is SHA-256(0x00 ‖ hash); a node is
SHA-256(0x01 ‖ left ‖ right). Whoever holds the signed root of a tree can be shown that one record
is in it, or that a later tree only adds to it, by a handful of hashes, without the other records.

To append, only the *frontier* is needed: the tops of the full subtrees that the tree falls into,
one for each bit of its size. A proof is a list of subtrees, told here as spans of leaves, so that
whoever has the leaves computes their tops and nobody else has to know the rules.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice

EMPTY = sha256().digest()
Span = tuple[int, int]
"""Leaves from the first number up to, without, the second."""


def leaf(value: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\0" + value).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """A tree that is only appended to. O(log n) of memory; two hashes for each leaf."""

    __slots__ = ("_tops", "size")

    def __init__(self, size: int = 0, tops: Sequence[bytes] = ()) -> None:
        """`tops` as `tops()` gave them: the largest first. ValueError: they are not so many."""
        heights = [height for height in range(size.bit_length()) if size >> height & 1]
        self.size = size
        self._tops: list[bytes | None] = [None] * size.bit_length()
        for height, top in zip(reversed(heights), tops, strict=True):
            self._tops[height] = top

    def tops(self) -> list[bytes]:
        """Of the full subtrees, the largest first."""
        return [top for top in reversed(self._tops) if top is not None]

    def copy(self) -> "Frontier":
        """One that goes on by itself."""
        other = Frontier()
        other.size, other._tops = self.size, self._tops.copy()
        return other

    def extend(self, values: Iterable[bytes]) -> None:
        """Append leaves. Level by level, which is the quickest for many."""
        level = [sha256(b"\0" + value).digest() for value in values]
        self.size += len(level)
        height = 0
        while level:
            if height == len(self._tops):
                self._tops.append(None)
            waiting = self._tops[height]
            if waiting is not None:
                level.insert(0, waiting)
            self._tops[height] = level.pop() if len(level) % 2 else None
            pairs = zip(level[::2], level[1::2], strict=True)
            level = [sha256(b"\1" + left + right).digest() for left, right in pairs]
            height += 1

    def root(self) -> bytes:
        """Of the tree as it is."""
        root = b""
        for top in self._tops:
            if top is not None:
                root = node(top, root) if root else top
        return root or EMPTY


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The subtrees whose tops prove a leaf, from the leaf upwards (2.1.1). ValueError: no leaf."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    spans = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            spans.append((middle, high))
            high = middle
        else:
            spans.append((low, middle))
            low = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """The subtrees whose tops prove that a tree only grew (2.1.2)."""
    if not 0 < old <= new:
        raise ValueError(f"a tree of {new} does not grow out of one of {old}")
    spans = []
    low, high = 0, new
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            spans.append((middle, high))
            high = middle
        else:
            spans.append((low, middle))
            low = middle
    return ([(low, high)] if low else []) + spans[::-1]


def tops_of(
    spans: Sequence[Span], values: Iterable[bytes], known: Frontier | None = None
) -> list[bytes]:
    """The tops of some subtrees, from the leaves' values.

    `known`: the frontier of a tree whose leaves are gone; the values go on behind it. ValueError:
    a span needs what is gone, or more leaves than there are.
    """
    begun = known or Frontier()
    parts = {span: _begin(span, begun) for span in spans}
    at, rest = begun.size, iter(values)
    for low, high in sorted(spans):
        if at < low:
            deque(islice(rest, low - at), 0)  # no span is over these
            at = low
        parts[low, high].extend(islice(rest, max(0, high - at)))
        at = max(at, high)
        if parts[low, high].size != high - low:
            raise ValueError(f"leaves of {low} to {high} are missing")
    return [parts[span].root() for span in spans]


def _begin(span: Span, known: Frontier) -> Frontier:
    """What is known of a subtree from a frontier."""
    low, high = span
    part = Frontier(0)
    tops = [(start, top) for start, end, top in _pieces(known) if low <= start and end <= high]
    if tops and tops[0][0] == low:
        size = min(high, known.size) - low
        part = Frontier(size, [top for _, top in tops])
    return part


def _pieces(known: Frontier) -> Iterator[tuple[int, int, bytes]]:
    start = 0
    for top in known.tops():
        size = 1 << (known.size - start).bit_length() - 1
        yield start, start + size, top
        start += size


def includes(root: bytes, size: int, index: int, value: bytes, path: Sequence[bytes]) -> bool:
    """Does the path prove that the leaf is in the tree? (RFC 9162 2.1.3.2)"""
    if not 0 <= index < size:
        return False
    spans = inclusion_spans(index, size)
    if len(spans) != len(path):
        return False
    top = leaf(value)
    for (low, _), other in zip(spans, path, strict=True):
        top = node(top, other) if low > index else node(other, top)
    return top == root


def grows(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Does the path prove that the new tree only adds to the old one? (RFC 9162 2.1.4.2)"""
    if not 0 < old <= new:
        return False
    spans = consistency_spans(old, new)
    if len(spans) != len(path):
        return False
    if not spans or spans[0][0] >= old:
        # The old tree is a full subtree of the new one: its own root is the first piece.
        spans, path = [(0, old), *spans], [old_root, *path]
    before = after = path[0]
    for (low, _), other in zip(spans[1:], path[1:], strict=True):
        if low < old:
            before = node(other, before)
            after = node(other, after)
        else:
            after = node(after, other)
    return before == old_root and after == new_root


def _split(size: int) -> int:
    """The largest power of two below."""
    return 1 << (size - 1).bit_length() - 1
