"""The order of stages."""

from proxy.stages import ORDER, SECTIONS


def test_every_section_has_a_stage() -> None:
    """What can be written down does something; and what does something can be written down."""
    assert {name for entry in ORDER for name in entry.sections} == SECTIONS.keys()


def test_sections_have_defaults_for_everything() -> None:
    """A section that is present, even empty, is on."""
    for section in SECTIONS.values():
        section()


def test_the_order_of_gates_around_a_sending() -> None:
    """Open circuits first, then what waits, then the attempt's time, the probe's lease last."""
    gates = [entry.build.__qualname__ for entry in ORDER if entry.phase == "attempt"]
    assert gates == [
        "CircuitCheck.build",
        "CoolDown.build",
        "AttemptTime.build",
        "ProbeLease.build",
    ]
