from proxy.lab.demo.approval import approval


async def test_what_is_approved_runs_once_and_what_is_denied_never(alone):
    """People see the exact call, and an agent does not decide about its own."""
    played = await alone(approval)

    assert played.failed == []
    assert 'is shown the exact call: {"tool": "create_escrow"' in played.text
    assert "tries to approve it itself: 401" in played.text
    assert "403 approval_denied, not sent" in played.text
    assert played.play.gateway.calls.executed["create_escrow"] == 1
