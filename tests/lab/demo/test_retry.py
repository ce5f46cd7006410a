from proxy.lab.demo.retry import retry


async def test_a_read_is_repeated_and_a_write_is_not(alone):
    """Both attempts of the read cost; the deposit is booked once."""
    played = await alone(retry)

    assert played.failed == []
    assert "answers 503, then 200 holdfast 200 ok, sent twice, cost 0.000200" in played.text
    assert "resets the connection, after it ran the call once" in played.text
    assert "502 upstream_disconnected, sent once" in played.text
    assert "5.00 is booked, not twice that" in played.text
