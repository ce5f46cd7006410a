from proxy.lab.demo.breaker import breaker


async def test_it_opens_and_recovers(alone):
    """After three failures; and it closes after one good answer."""
    played = await alone(breaker)

    assert played.failed == []
    assert "answers 500, 500, 500" in played.text
    assert "503 circuit_open, not sent, policy events" in played.text
    assert "the circuit is closed" in played.text
