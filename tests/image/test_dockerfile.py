"""What the Dockerfile and the .dockerignore promise, as they stand there."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from proxy import __version__
from tests.image.dockerfile import Ignored, sent, stages, steps

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Dockerfile").read_text("utf-8")
STAGES = stages(TEXT, {})
FINAL = STAGES[-1].steps
SECRETS = re.compile(r"secret|token|passw|credential|api_?key|BEGIN [A-Z ]*KEY", re.IGNORECASE)
PAGE = (ROOT / "docs" / "image.md").read_text("utf-8")


def final(name):
    """The last instruction of that name in the last stage: the one that counts."""
    return [step for step in FINAL if step.name == name][-1]


def test_hadolint_finds_nothing(tmp_path):
    """By all of its rules: none is switched off, in the file, by a configuration or an option."""
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert hadolint is not None, "it is in the tests' lock"
    ran = subprocess.run(
        [hadolint, "--failure-threshold", "ignore", "Dockerfile"],
        cwd=ROOT, env={"HOME": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip

    assert (ran.stdout + ran.stderr, ran.returncode) == ("", 0)
    assert not list(ROOT.glob(".hadolint*"))
    assert not re.search(r"hadolint\s+(global\s+)?ignore", TEXT)


def test_every_base_is_pinned_by_its_digest():
    """The same one in all stages, so that what was installed fits where it runs."""
    bases = {stage.base for stage in STAGES if stage.base not in {one.name for one in STAGES}}

    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", bases.pop())


def test_another_base_may_be_given():
    """With --build-arg."""
    assert {stage.base for stage in stages(TEXT, {"PYTHON": "mine@sha256:1"})} == {"mine@sha256:1"}


def test_what_is_installed_was_written_down_with_its_hash():
    """And comes as a wheel; or it comes from no index at all: our own."""
    installs = [
        part
        for step in steps(TEXT)
        for part in step.text.split("&&")
        if "install" in part.split() and "pip" in part.split()
    ]

    assert len(installs) == 3
    for install in installs:
        hashed = "--require-hashes --only-binary :all:" in install and ".lock" in install
        assert hashed or "--no-deps --no-index" in install
    assert not re.search(r"apt-get|curl|wget|git\+|https?://", "".join(s.text for s in steps(TEXT)))


def test_nobody_runs_it():
    """A number that is not root's, in the end: Kubernetes can tell by a number alone."""
    uid, gid = final("USER").text.split(":")

    assert (uid, gid) == ("65532", "65532")
    assert FINAL.index(final("USER")) > max(n for n, step in enumerate(FINAL) if step.name == "RUN")


def test_no_shell_starts_or_asks_it():
    """Lists, which are run as they are."""
    assert final("ENTRYPOINT").words == ["holdfast"]
    assert final("CMD").words == ["run"]
    assert final("HEALTHCHECK").text == 'CMD ["holdfast", "probe", "ready"]'
    assert final("VOLUME").words == ["/var/lib/holdfast"]


def test_it_is_stopped_by_the_signal_that_drains():
    """docs/settings.md, `drain`."""
    assert final("STOPSIGNAL").text == "SIGTERM"


def test_its_labels_say_what_it_is():
    """Those of OCI; version, revision and source by arguments."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    labels = {
        name.removeprefix("org.opencontainers.image."): value
        for name, value in final("LABEL").pairs.items()
    }

    assert labels == {
        "title": "Holdfast",
        "description": project["description"],
        "licenses": project["license"],
        "version": "${VERSION}",
        "revision": "${REVISION}",
        "source": "${SOURCE}",
    }
    assert f"VERSION={__version__}" in [step.text for step in FINAL if step.name == "ARG"]


def test_no_secret_is_asked_for_or_written_down():
    """An argument or a variable of a build can be read in the image for ever."""
    told = [step.text for step in steps(TEXT) if step.name in {"ARG", "ENV", "LABEL"}]

    assert [text for text in told if SECRETS.search(text)] == []


@pytest.mark.parametrize(
    "name",
    [
        ".env", ".git/config", ".holdfast/keys/journal.skey", ".venv/bin/python", "tokens.yaml",
        "holdfast.yaml", "tests/conftest.py", "docs/image.md", "uv.lock", ".ci/run", "id_rsa",
        "policies/.env", "policies/tests/10.yaml", "proxy/.holdfast/x", "proxy/cli/.x.swp",
        "proxy/__pycache__/call.cpython-311.pyc", "proxy/cli/__pycache__/run.pyc", "proxy/x.pyc",
    ],
)  # fmt: skip
def test_what_is_not_copied_does_not_reach_the_engine(name):
    """Secrets, the repository, tests, leftovers."""
    assert Ignored((ROOT / ".dockerignore").read_text("utf-8"))(name)


def test_what_reaches_the_engine_is_what_is_copied():
    """Nothing lies there only to be found."""
    copied = [
        source
        for step in steps(TEXT)
        if step.name == "COPY" and "from" not in step.flags
        for source in step.words[:-1]
    ]
    found = sent(ROOT, Ignored((ROOT / ".dockerignore").read_text("utf-8")))

    assert [name for name in found if not name.startswith(tuple(copied))] == []
    assert [source for source in copied if not any(n.startswith(source) for n in found)] == []


@pytest.mark.parametrize(
    "told",
    ["65532", "/var/lib/holdfast", "/etc/holdfast", "/opt/holdfast/share/sbom/holdfast.cdx.json"],
)
def test_the_page_says_where_things_are(told):
    """As they are in the file."""
    assert told in PAGE
    assert told in TEXT


def test_the_page_names_the_base():
    """Its tag."""
    assert STAGES[-1].base.partition("@")[0] in PAGE
