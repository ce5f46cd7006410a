"""A whole set of policies."""


def test_agents_are_in_the_first_bulkhead_that_has_them(folder):
    """Or in none."""
    loaded = folder.load(
        'bulkheads: [{name: one, agents: ["a-*"], limit: 1}, '
        '{name: rest, agents: ["*-1"], limit: 1}]'
    )
    assert [loaded.domain(agent) for agent in ("a-1", "b-1", "c")] == ["one", "rest", ""]


def test_tools_that_are_named_in_full_are_known(folder):
    """No pattern is; nor what is excluded."""
    loaded = folder.load(
        "policies: [{name: a, match: {tool: [pay, 'get_*', '!get_x']}}, "
        "{name: b, match: {agent: z}}]"
    )
    assert loaded.tools == {"pay"}
