"""Who a pod is: its data dir, and a life that grows."""

import socket

import pytest

from proxy.journal.disk import RealDisk
from proxy.journal.pod_file import FILE, PodFile, is_kept


def test_each_start_is_a_new_life_of_the_same_pod(tmp_path):
    """And no two processes have the same mark."""
    first, second = PodFile(tmp_path, RealDisk()), PodFile(tmp_path, RealDisk())

    assert first.pod.id == second.pod.id
    assert (first.pod.life, second.pod.life) == (1, 2)
    assert first.pod.mark != second.pod.mark
    assert first.pod.name


def test_who_was_met_is_remembered(tmp_path):
    """Over lives."""
    first = PodFile(tmp_path, RealDisk())
    assert (first.peers, first.epoch) == ((), 0)
    first.meet(("a", "b"), 7)

    again = PodFile(tmp_path, RealDisk())
    assert (again.peers, again.epoch) == (("a", "b"), 7)


@pytest.mark.parametrize("content", [b"", b'{"id": 7}', b'{"id": "a", "li'])
def test_a_file_that_is_broken_is_another_pods(tmp_path, content):
    """What it held counts as held by one that is dead."""
    (tmp_path / FILE).write_bytes(content)

    pod = PodFile(tmp_path, RealDisk()).pod

    assert pod.life == 1
    assert len(pod.id) == 16


def test_a_folder_that_cannot_be_written_is_no_pod(tmp_path):
    """Nobody hears of a life that is not kept."""
    with pytest.raises(OSError, match="No such file"):
        PodFile(tmp_path / "none", RealDisk())


def test_the_name_of_a_machine_is_a_word(tmp_path, monkeypatch):
    """It stands in lines of the store, and in logs."""
    monkeypatch.setattr(socket, "gethostname", lambda: "a pod\n" + "x" * 100)
    named = PodFile(tmp_path, RealDisk()).pod.name
    assert named.startswith("a-pod-x")
    assert len(named) == 64

    monkeypatch.setattr(socket, "gethostname", str)
    assert PodFile(tmp_path, RealDisk()).pod.name == "-"


def test_a_data_dir_tells_whether_it_was_a_pods(tmp_path):
    """One that was never used does not."""
    assert not is_kept(tmp_path)
    PodFile(tmp_path, RealDisk())
    assert is_kept(tmp_path)
