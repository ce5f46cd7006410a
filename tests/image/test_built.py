"""The image, built and run: read-only, as nobody, alone with its agent.

Built without an engine, from the Dockerfile, on this machine's own system; docs/image.md says what
that leaves open.
"""

import importlib.metadata
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.image.build import Image
from tests.image.conftest import ROOT
from tests.image.container import Container, running
from tests.image.dockerfile import Ignored, sent

pytestmark = pytest.mark.timeout(600)  # the first of them builds it

CALL = """
import urllib.request as web
asked = web.Request("http://127.0.0.1:8700/v1/get_balance", b'{"agent_id": "local-agent"}')
with web.urlopen(asked) as answer:
    print(answer.status, answer.headers["holdfast-outcome"], answer.headers["holdfast-policy"])
"""
BOM = "opt/holdfast/share/sbom/holdfast.cdx.json"
LIBRARY = "opt/holdfast/lib/python3*/site-packages"


@pytest.fixture
def container(image: Image, tmp_path: Path) -> Iterator[Container]:
    """The image as it is started with nothing said, ready."""
    with running(image, tmp_path / "volume") as started:
        started.logged("ready")
        yield started


def ended(image: Image, volume: Path, *arguments: str) -> tuple[int, str]:
    """A container with another command than `run`: its exit code, and what it printed."""
    with running(image, volume, *arguments) as started:
        out, err = started.outside.communicate(timeout=60)
    return started.outside.returncode, out + err


def test_a_call_goes_through_it(container, image, tmp_path):
    """From the agent in its pod to a gateway and back, by the shipped policies and addresses; then
    the signal ends it with 0, and the journal that it leaves holds, as another container sees."""
    with container.started("holdfast", "sandbox", stdout=subprocess.PIPE) as sandbox:
        try:
            assert "http://127.0.0.1:8790" in sandbox.stdout.readline()
            called = container.exec("python", "-c", CALL)
        finally:
            code = container.stop()  # and the sandbox, which is waited for here, goes with it

    assert re.fullmatch(r"200 ok reads@[0-9a-f]{12}\n", called.stdout), called.stderr
    assert code == 0
    verified = ended(image, tmp_path / "volume", "audit", "verify", "--json", "/var/lib/holdfast")
    assert verified[0] == 0, verified[1]
    assert json.loads(verified[1])["verdict"] == "ok"


def test_its_health_check_sees_that_it_is_ready(container, image):
    """And when it is not: it has ended, or never was there."""
    well = container.exec(*image.health)
    elsewhere = container.exec(*image.health, "--admin", "127.0.0.1:9")

    assert (well.returncode, well.stdout) == (0, "ready\n")
    assert elsewhere.returncode == 1
    assert "no proxy answers" in elsewhere.stderr


def test_only_the_volume_can_be_written(container):
    """Not even /tmp: it needs none."""
    tops = ("/etc", "/opt/holdfast", "/tmp", "/var", "/root", "/usr", "/usr/local")
    found = container.exec("find", *tops[:5], "-writable", "-not", "-type", "l")
    refused = container.exec("touch", *(f"{top}/x" for top in ("", *tops)))

    written = found.stdout.splitlines()
    assert "/var/lib/holdfast/journal" in written
    assert [path for path in written if not path.startswith("/var/lib/holdfast")] == []
    assert refused.stderr.count("Read-only file system") == len(tops) + 1


def test_it_is_nobody_and_may_nothing(container):
    """No right of root's, and no way to one; what it keeps is for its own eyes."""
    status = Path(f"/proc/{container.pid}/status").read_text()
    rights = re.findall(r"^Cap(?:Prm|Eff|Bnd|Amb):\s+0*(\w*)$", status, re.MULTILINE)

    assert re.search(r"^Uid:(\s+65532){4}$", status, re.MULTILINE)
    assert re.search(r"^Gid:(\s+65532){4}$", status, re.MULTILINE)
    assert rights == [""] * 4
    assert container.exec("stat", "-c", "%a %u", "/var/lib/holdfast").stdout == "700 65532\n"


@pytest.mark.parametrize(("mode", "below"), [(0o700, ""), (0o2770, "/data")])
def test_it_runs_as_somebody_else(image, tmp_path, mode, below):
    """A user that it does not know, as OpenShift has them; with a volume of that user's, or in a
    folder below the top of one that is the group's (fsGroup)."""
    other = msgspec.structs.replace(image, user="1000680000:0")
    other.env = {**image.env, "HOLDFAST_DATA_DIR": f"/var/lib/holdfast{below}"}
    volume = tmp_path / "volume"
    volume.mkdir()
    os.chown(volume, 0 if below else 1_000_680_000, 0)
    volume.chmod(mode)
    with running(other, volume) as started:
        started.logged("ready")
        well, code = started.exec(*image.health), started.stop()

    assert (well.stdout, code) == ("ready\n", 0), well.stderr


def test_it_starts_without_a_shell(image):
    """The command is a script of Python's, whose name stands in its first line."""
    script = (image.root / "opt/holdfast/bin/holdfast").read_text()

    assert script.startswith("#!/opt/holdfast/bin/python\n")
    assert image.entrypoint == ["holdfast"]


def test_the_shipped_policies_load(image, tmp_path):
    """Those that stand in it."""
    code, said = ended(image, tmp_path / "volume", "check", "--strict")

    assert code == 0, said
    assert not (image.root / "etc/holdfast/policies/tests").exists()


def test_it_can_do_all_that_the_extras_can(image, tmp_path):
    """Conditions, spans and prices."""
    with running(image, tmp_path / "volume") as started:
        started.logged("ready")
        loads = "import cel_expr_python, genai_prices, opentelemetry.sdk.trace, uvloop, redis"
        loaded = started.exec("python", "-c", loads)

    assert (loaded.returncode, loaded.stderr) == (0, "")


def test_nothing_is_left_of_its_making(image, container):
    """No installer, no source tree, no cache."""
    assert container.exec("python", "-m", "pip").returncode == 1
    assert container.exec("/usr/local/bin/python", "-m", "pip").returncode == 1
    assert sorted(path.name for path in image.root.glob("opt/holdfast/*")) == [
        "bin", "include", "lib", "lib64", "pyvenv.cfg", "share",
    ]  # fmt: skip
    assert not (image.root / "build").exists()


def installed(image: Image) -> dict[str, str]:
    """Packages and their versions."""
    (library,) = image.root.glob(LIBRARY)
    found = importlib.metadata.distributions(path=[str(library)])
    return {one.name.lower().replace("_", "-"): one.version for one in found}


def test_the_list_of_what_is_in_it_is_true(image):
    """Each package with its version, none more, and each with hashes."""
    bom = json.loads((image.root / BOM).read_text())
    listed = {part["name"].lower().replace("_", "-"): part["version"] for part in bom["components"]}
    whole = bom["metadata"]["component"]

    assert {whole["name"]: whole["version"], **listed} == installed(image)
    assert len(listed) > 30
    assert all(part["externalReferences"][0]["hashes"] for part in bom["components"])
    assert [
        part["name"] for part in bom["components"] if not part["purl"].endswith(part["version"])
    ] == []


def test_the_list_is_cyclonedx(image):
    """By the schema of its version."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = (image.root / BOM).read_text()
    version = SchemaVersion.from_version(json.loads(text)["specVersion"])

    assert JsonStrictValidator(version).validate_str(text) is None


def test_no_start_compiles_anything(image):
    """Each module has its bytecode, which is not held against its source: PEP 552, flags 1."""
    (library,) = image.root.glob(LIBRARY)
    sources = [path for path in library.rglob("*.py") if path.parent.name != "tests"]
    compiled = {path: path.parent / "__pycache__" for path in sources}
    flags = {
        next(folder.glob(f"{path.stem}.cpython-*.pyc")).read_bytes()[4:8]
        for path, folder in compiled.items()
    }

    assert len(sources) > 1000
    assert flags == {b"\x01\x00\x00\x00"}


def test_all_of_the_code_is_in_it(image):
    """Also what is no Python: scripts of the store, prices, pages."""
    (library,) = image.root.glob(LIBRARY)
    ours = sent(ROOT, Ignored((ROOT / ".dockerignore").read_text("utf-8")))

    assert [
        name for name in ours if name.startswith("proxy/") and not (library / name).exists()
    ] == []


def test_nothing_of_a_container_outlives_it(image, tmp_path):
    """These tests leave no process behind: neither the first nor one that was started beside it."""
    with running(image, tmp_path / "volume") as started:
        started.logged("ready")
        pids = [started.pid]
        with started.started("holdfast", "sandbox", stdout=subprocess.PIPE) as sandbox:
            assert sandbox.stdout is not None
            sandbox.stdout.readline()
            children = Path(f"/proc/{sandbox.pid}/task/{sandbox.pid}/children")
            pids += map(int, children.read_text().split())
            started.end()

    assert len(pids) == 2
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_its_labels_are_those_of_the_build(image):
    """What is said with --build-arg."""
    told = {name.rpartition(".")[2]: value for name, value in image.labels.items()}

    assert told["version"] == "9.8.7"
    assert told["revision"] == "f00"
    assert told["source"] == "https://example.org/holdfast"
