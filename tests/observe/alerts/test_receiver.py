"""proxy/observe/alerts/receiver.py"""

from proxy.observe.alerts.receiver import Receiver


def test_what_it_is_known_by_is_all_that_is_shown() -> None:
    """Its URL may be as secret as its secrets."""
    receiver = Receiver(
        name="ops", kind="slack", url="https://hooks.example/sesame", secrets=("sesame",),
        headers=(("authorization", "sesame"),),
    )  # fmt: skip
    assert repr(receiver) == str(receiver) == f"{receiver}" == "Receiver('ops', 'slack')"
