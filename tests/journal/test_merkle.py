"""The tree, against RFC 6962 written down a second time, and against published vectors."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.journal.merkle import (
    EMPTY,
    Frontier,
    consistency_spans,
    grows,
    includes,
    inclusion_spans,
    tops_of,
)

# Of the Certificate Transparency reference implementation: leaves, and the roots of the first n.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243"),
        *("5051525354555657", "606162636465666768696a6b6c6d6e6f"),
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def h(content: bytes) -> bytes:
    return sha256(content).digest()


def below(size: int) -> int:
    """The largest power of two smaller than n."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def mth(leaves: list[bytes]) -> bytes:
    """Section 2.1."""
    if not leaves:
        return h(b"")
    if len(leaves) == 1:
        return h(b"\0" + leaves[0])
    k = below(len(leaves))
    return h(b"\1" + mth(leaves[:k]) + mth(leaves[k:]))


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """Section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = below(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """Section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = below(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


trees = st.lists(st.binary(min_size=1, max_size=3), min_size=1, max_size=70)


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_those_of_certificate_transparency(size):
    """Of the first 0 to 8 of its leaves."""
    tree = Frontier()
    tree.extend(LEAVES[:size])

    assert tree.root().hex() == ROOTS[size]
    assert Frontier().root() == EMPTY


def test_the_proofs_are_those_of_certificate_transparency():
    """Inclusion of leaf 0 and 5 in 8, consistency of 6 with 8, from its test vectors."""
    zero = tops_of(inclusion_spans(0, 8), LEAVES)
    five = tops_of(inclusion_spans(5, 8), LEAVES)
    grown = tops_of(consistency_spans(6, 8), LEAVES)

    assert [top.hex()[:8] for top in zero] == ["96a296d2", "5f083f0a", "6b47aaf2"]
    assert [top.hex()[:8] for top in five] == ["bc1a0643", "ca854ea1", "d37ee418"]
    assert [top.hex()[:8] for top in grown] == ["0ebc5d34", "ca854ea1", "d37ee418"]


@given(trees, st.data())
def test_it_grows_in_any_steps_to_the_same_root(leaves, data):
    """One by one, all at once, or stored and taken up again."""
    tree, at = Frontier(), 0
    while at < len(leaves):
        step = data.draw(st.integers(1, len(leaves)))
        tree.extend(leaves[at : at + step])
        at += step
        tree = Frontier(tree.size, tree.tops()) if data.draw(st.booleans()) else tree.copy()

    assert tree.size == len(leaves)
    assert tree.root() == mth(leaves)
    assert len(tree.tops()) == len(leaves).bit_count()


def test_a_copy_goes_on_by_itself():
    """What one appends is not in the other."""
    tree = Frontier()
    tree.extend(LEAVES[:3])
    other = tree.copy()
    other.extend(LEAVES[3:])

    assert (tree.root().hex(), other.root().hex()) == (ROOTS[3], ROOTS[8])


@given(trees, st.data())
def test_a_leaf_is_proven_as_the_rfc_says(leaves, data):
    """The same path, and it proves that leaf at that place, and no other."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    found = tops_of(inclusion_spans(index, len(leaves)), leaves)
    root, size = mth(leaves), len(leaves)

    assert found == path(index, leaves)
    assert includes(root, size, index, leaves[index], found)
    assert not includes(root, size, index, b"another leaf", found)
    assert not includes(root, size, index, leaves[index], [*found, root])
    assert not includes(h(b"another tree"), size, index, leaves[index], found)
    assert not includes(root, size, size, leaves[index], found)


@given(trees, st.data())
def test_growth_is_proven_as_the_rfc_says(leaves, data):
    """The same path; another old root, or another new one, is not proven by it."""
    old = data.draw(st.integers(1, len(leaves)))
    found = tops_of(consistency_spans(old, len(leaves)), leaves)
    before, after = mth(leaves[:old]), mth(leaves)

    assert found == subproof(old, leaves, True)
    assert grows(old, before, len(leaves), after, found)
    assert not grows(old, h(b"x"), len(leaves), after, found)
    assert not grows(old, before, len(leaves), h(b"x"), found)
    assert not grows(old, before, len(leaves), after, [*found, after])
    assert not grows(len(leaves) + 1, before, len(leaves), after, found)


@given(trees, st.data())
def test_a_leaf_is_proven_though_earlier_ones_are_gone(leaves, data):
    """With the frontier of what was pruned, the path is the same."""
    gone = data.draw(st.integers(0, len(leaves) - 1))
    index = data.draw(st.integers(gone, len(leaves) - 1))
    known = Frontier()
    known.extend(leaves[:gone])

    found = tops_of(inclusion_spans(index, len(leaves)), leaves[gone:], known)

    assert found == path(index, leaves)


def test_what_is_gone_cannot_be_proven():
    """Nor what is not there yet; it is said, not made up."""
    known = Frontier()
    known.extend(LEAVES[:4])

    with pytest.raises(ValueError, match="missing"):
        tops_of(inclusion_spans(1, 8), LEAVES[4:], known)
    with pytest.raises(ValueError, match="missing"):
        tops_of(inclusion_spans(1, 8), LEAVES[:7])
    with pytest.raises(ValueError, match="no leaf 8"):
        inclusion_spans(8, 8)
    with pytest.raises(ValueError, match="does not grow"):
        consistency_spans(9, 8)


def test_a_frontier_has_as_many_tops_as_its_size_says():
    """Else it is refused."""
    with pytest.raises(ValueError):
        Frontier(3, [h(b"")])
