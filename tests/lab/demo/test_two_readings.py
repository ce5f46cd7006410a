from proxy.lab.demo.two_readings import two_readings


async def test_it_is_refused(alone):
    """Before the gateway hears of it."""
    played = await alone(two_readings)

    assert played.failed == []
    assert "400 ambiguous_call, not sent" in played.text
    assert played.play.gateway.calls.total == 0
