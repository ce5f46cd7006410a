from proxy.lab.demo.journal import journal


async def test_it_is_verified_added_up_and_forged(alone):
    """Of a play without any call that was refused there is nothing to forge: that is noticed."""
    played = await alone(journal)

    assert played.failed == ["the changed record is named"]
    assert "the ledger has 0.0025 USD spent; the records add up to 0.0025" in played.text


async def test_behind_a_call_that_was_refused(alone):
    """The record that was changed is named."""

    async def both(play):
        await play.post(b'{"tool": "get_balance", "tool": "deposit"}')
        await journal(play)

    played = await alone(both)

    assert played.failed == []
    assert "tampered: 00000001.jsonl line" in played.text
