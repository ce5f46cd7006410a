from proxy.lab.demo.loop import loop


async def test_the_sixth_identical_call_is_refused(alone):
    """With what was answered before."""
    played = await alone(loop)

    assert played.failed == []
    assert "holdfast-loop: same; times=3; limit=5" in played.text
    assert "call 6 is refused: 422 loop_detected, not sent" in played.text
    assert 'is told what it knows already: {"result": {"services"' in played.text
