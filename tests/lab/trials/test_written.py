"""proxy/lab/trials/written.py."""

# ruff: noqa: E501 -- messages stand on one line, as people see them
import pytest

from proxy.config.places import ConfigError
from proxy.lab.trials.written import Answer, State, read_trials
from proxy.units import Seconds

GOOD = """
tests:
  - name: a
    call: {tool: pay, input: {amount: 5}, headers: {x-a: b}}
    state: {calls: [503, {status: 200, after: 1s}], circuits: {gateway: open}, in_flight: 2, wait: 3s}
    upstream: [503, connect]
    upstreams: {other: 200}
    expect:
      attempts: 2
      values: {retry.attempts: 3}
"""


@pytest.fixture
def tests(tmp_path):
    """Writes a file of tests and reads the folder."""

    def read(text, name="a.yaml"):
        (tmp_path / name).write_text(text)
        return read_trials(tmp_path, {})

    read.folder = tmp_path
    return read


def errors(read, text):
    with pytest.raises(ConfigError) as caught:
        read(text)
    folder = f"{read.folder}/"
    return [str(problem).replace(folder, "") for problem in caught.value.problems], caught.value


def test_a_test_in_its_types(tests):
    """Each part, with the place of each."""
    (trial,) = tests(GOOD)
    case = trial.case

    assert (case.name, case.call.tool, case.call.input) == ("a", "pay", {"amount": 5})
    assert case.state == State(
        (503, Answer(200, Seconds(1.0))), {"gateway": "open"}, {}, 2, Seconds(3.0)
    )
    assert (case.upstream, case.upstreams) == ((503, "connect"), {"other": 200})
    assert case.expect.values == {"retry.attempts": 3}
    assert (trial.place.line, trial.places["expect.values.retry.attempts"].line) == (3, 10)


def test_files_in_the_order_of_their_names(tests):
    """Of a folder; a file may be named alone."""
    one = "tests: [{name: %s, call: {}, expect: {attempts: 1}}]"
    tests(one % "second", "b.yaml")
    found = tests(one % "first", "a.yaml")

    assert [trial.case.name for trial in found] == ["first", "second"]
    assert [trial.case.name for trial in read_trials(tests.folder / "b.yaml", {})] == ["second"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("test: []", "unknown key; did you mean tests?"),
        ("tests: {}", "tests: expected a list, found a mapping"),
        ("tests: [{name: a, expect: {attempts: 1}}]", "tests[0]: the key call is missing"),
        (
            "tests: [{name: a, call: {tol: x}, expect: {attempts: 1}}]",
            "tests[0].call.tol: unknown key; did you mean tool?",
        ),
        (
            "tests: [{name: a, call: {}, expect: {}}]",
            "tests[0].expect: expected at least one of verdict, code",
        ),
        (
            "tests: [{name: a, call: {}, expect: {verdict: alow}}]",
            "tests[0].expect.verdict: expected allow or refuse, found 'alow'; did you mean allow?",
        ),
        (
            "tests: [{name: a, call: {}, upstream: slow, expect: {attempts: 1}}]",
            "tests[0].upstream: expected",
        ),
        (
            "tests: [{name: a, call: {}, state: {circuits: {g: ajar}}, expect: {attempts: 1}}]",
            "tests[0].state.circuits.g: expected half_open or open",
        ),
        (
            "tests: [{name: a, call: {}, state: {wait: 5}, expect: {attempts: 1}}]",
            "tests[0].state.wait: expected a duration",
        ),
        ("tests: [}", "not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tests, written, said):
    """As of policies: an unknown key is an error."""
    found, error = errors(tests, written)

    assert any(said in each and each.startswith("a.yaml:1:") for each in found), found
    assert error.readable


@pytest.mark.parametrize("written", ["tests: []", "", "# nothing"])
def test_no_tests_are_an_error(tests, written):
    """A CI that tests nothing must not be green."""
    found, error = errors(tests, written)

    assert found[0].endswith("holds no tests")
    assert not error.readable


def test_a_folder_that_is_not_there_cannot_be_read(tmp_path):
    """It is told apart from errors in files."""
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory") as caught:
        read_trials(tmp_path / "nowhere", {})

    assert not caught.value.readable
