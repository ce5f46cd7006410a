from proxy.lab.demo.changes import changes


async def test_a_good_file_counts_and_a_bad_one_does_not(alone):
    """At once, and without a call that is lost."""
    played = await alone(changes)

    assert played.failed == []
    assert "retry: {attempts: 1}}" in played.text
    assert "the version before it still rules" in played.text
