import json
import subprocess
import sys

GOOD = "upstreams: {a: {url: http://h}}\npolicies: [{name: p, breaker: {}}]"
WARNED = "upstreams: {a: {url: http://h}}"
WRONG = "policies: [{name: p, retry: {atempts: 1}}]"


def test_fine(holdfast, policies):
    """Exit 0, and the version that will be in force."""
    policies(GOOD)
    ran = holdfast("check")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("./policies: fine, policy version ")


def test_errors(holdfast, policies):
    """Exit 1, one line each, as editors read them."""
    policies(WRONG)
    ran = holdfast("check", "policies")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        "policies/p.yaml:1:30: policies[0].retry.atempts: unknown key; did you mean attempts?",
        "holdfast: 1 error in policies",
    ]


def test_nothing_to_read(holdfast, here):
    """Exit 2: not the same as an error in a file."""
    ran = holdfast("check", "nowhere")

    assert ran.code == 2
    assert ran.err.startswith("nowhere: cannot be read: No such file or directory\n")


def test_warnings(holdfast, policies):
    """Shown, and no error unless that is asked for."""
    policies(WARNED)

    assert holdfast("check").code == 0
    assert "no policy matches this upstream (warning)\n" in holdfast("check").err
    assert holdfast("check", "--strict").code == 1


def test_json(holdfast, policies):
    """For a CI that annotates."""
    policies(WRONG)
    ran = holdfast("check", "--json")

    assert ran.code == 1
    assert json.loads(ran.out) == {
        "ok": False,
        "policy_version": None,
        "errors": [
            {
                "file": "policies/p.yaml",
                "line": 1,
                "column": 30,
                "path": "policies[0].retry.atempts",
                "message": "unknown key; did you mean attempts?",
            }
        ],
        "warnings": [],
    }


def test_json_of_what_is_fine(holdfast, policies):
    """With the version, and warnings apart."""
    policies(WARNED)
    told = json.loads(holdfast("check", "--json").out)

    assert (told["ok"], told["errors"], len(told["policy_version"])) == (True, [], 12)
    assert told["warnings"][0]["path"] == "upstreams.a"


def test_as_a_strict_ci_runs_it(policies):
    """A process of its own: a warning is an error with its place, and the exit code says so."""
    policies(WARNED)
    command = [sys.executable, "-m", "proxy", "check", "policies", "--strict", "--json"]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    told = json.loads(ran.stdout)

    assert (ran.returncode, ran.stderr) == (1, "")
    assert (told["ok"], told["warnings"], len(told["policy_version"])) == (False, [], 12)
    assert told["errors"] == [
        {
            "file": "policies/p.yaml",
            "line": 1,
            "column": 13,
            "path": "upstreams.a",
            "message": "no policy matches this upstream",
        }
    ]


def test_a_strict_ci_is_content_with_what_is_fine(holdfast, policies):
    """Exit 0."""
    policies(GOOD)
    ran = holdfast("check", "--strict", "--json")

    assert (ran.code, json.loads(ran.out)["ok"]) == (0, True)


def test_a_ci_that_names_no_folder_is_told(holdfast, here):
    """Exit 2, also as JSON."""
    ran = holdfast("check", "nowhere", "--strict", "--json")

    assert ran.code == 2
    assert json.loads(ran.out)["errors"][0]["line"] is None
