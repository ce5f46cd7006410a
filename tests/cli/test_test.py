import json
import subprocess
import sys

import pytest

POLICIES = """\
upstreams: {gateway: {url: http://h, protocol: tools}}
policies:
  - name: default
    timeout: {total: 45s}
    retry: {attempts: 2}
"""
GOOD = """\
tests:
  - name: a write is not repeated
    call: {tool: pay}
    upstream: disconnect
    expect: {attempts: 1}
"""
BAD = """\
tests:
  - name: three times
    call: {tool: pay}
    expect:
      values: {retry.attempts: 3, breaker.consecutive: 5}
      verdict: refuse
"""


@pytest.fixture
def tests(policies, here):
    """Policies, and files of tests beside them."""
    policies(POLICIES)
    (here / "policies" / "tests").mkdir()

    def write(text, name="a.yaml"):
        (here / "policies" / "tests" / name).write_text(text)

    return write


def test_all_pass(holdfast, tests):
    """Exit 0, and each is named."""
    tests(GOOD)
    ran = holdfast("test")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[:2] == ["policies/tests/a.yaml", "  ✓ a write is not repeated"]
    assert "1 passed; policy version" in ran.out


def test_some_fail(holdfast, tests):
    """Exit 1; each expectation with its place, what was found, and where that comes from."""
    tests(GOOD)
    tests(BAD, "b.yaml")
    ran = holdfast("test", "policies/tests")

    assert ran.code == 1
    told = [line.strip() for line in ran.out.splitlines()]
    assert "✗ three times" in told
    at = told.index("policies/tests/b.yaml:5")
    assert told[at + 1] == "values.retry.attempts: expected 3, found 2 (policies/p.yaml:5, default)"
    assert "values.breaker.consecutive: expected 5, found nothing; breaker is off" in told
    assert "verdict: expected refuse, found allow" in told
    assert told[-1].startswith("1 passed, 1 failed; policy version")


def test_json(holdfast, tests):
    """For a CI that annotates."""
    tests(BAD)
    ran = holdfast("test", "--json")
    report = json.loads(ran.out)

    assert ran.code == 1
    assert (report["ok"], report["passed"], report["failed"]) == (False, 0, 1)
    (told,) = report["tests"]
    assert (told["file"], told["line"], told["ok"]) == ("policies/tests/a.yaml", 2, False)
    assert {
        "file": "policies/tests/a.yaml",
        "line": 5,
        "path": "expect.values.retry.attempts",
        "expected": 3,
        "found": 2,
        "why": "",
        "from": "policies/p.yaml:5",
        "policy": "default",
    } in told["misses"]


def test_what_cannot_be_played_is_told(holdfast, tests):
    """Like an expectation that was not met."""
    tests(GOOD.replace("{tool: pay}", "{tool: pay, upstream: x}"))
    ran = holdfast("test")

    assert ran.code == 1
    assert "call: upstream: must be one of the policies' upstreams: gateway" in ran.out


def test_errors_of_the_files(holdfast, tests):
    """Exit 1, one line each, as editors read them."""
    tests(GOOD.replace("expect", "expects"))
    ran = holdfast("test")

    assert (ran.code, ran.out) == (1, "")
    assert (
        "policies/tests/a.yaml:5:5: tests[0].expects: unknown key; did you mean expect?" in ran.err
    )


@pytest.mark.parametrize("folder", ["policies/tests", "nowhere"])
def test_nothing_to_read(holdfast, tests, folder):
    """Exit 2: a CI that tests nothing must not be green."""
    ran = holdfast("test", folder)

    assert (ran.code, ran.out) == (2, "")


def test_the_policies_must_load(holdfast, tests, policies):
    """Their errors come first."""
    tests(GOOD)
    policies("policies: [{nam: a}]")

    assert holdfast("test").code == 1


def test_other_policies(holdfast, tests, here):
    """Named by a flag."""
    tests(GOOD)
    (here / "other").mkdir()
    (here / "other" / "p.yaml").write_text(POLICIES)

    assert holdfast("test", "policies/tests", "--policies", "other").code == 0


def test_as_a_ci_runs_it(tests, here):
    """A process of its own; nothing on standard error."""
    tests(GOOD)
    command = [sys.executable, "-m", "proxy", "test", "--json"]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)

    assert (json.loads(ran.stdout)["ok"], ran.stderr) == (True, "")
