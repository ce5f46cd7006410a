from proxy.lab.demo.budget import budget


async def test_the_cap_is_reached_exactly(alone):
    """Five of twelve calls fit, however they come; then the answer says when there is room."""
    played = await alone(budget)

    assert played.failed == []
    assert "5 ran and 7 were refused, of 12" in played.text
    assert "spent: 0.10 of 0.10 USD, to the cent; still reserved: 0.00" in played.text
    assert "402 budget_exceeded, not sent, policy trail" in played.text
    assert played.play.gateway.calls.executed["create_audit_trail"] == 5
