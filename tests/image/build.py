"""Does what a Dockerfile says, step by step, in folders: each stage is the root of one.

The base image is not here; this machine's own system and Python stand in for it.
"""

import importlib.metadata
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.image.dockerfile import LITERAL, Ignored, Stage, Step, argument, replaced, sent, stages

ENTER = Path(__file__).with_name("enter.py")
SYSTEM = ("bin", "sbin", "lib", "lib64", "usr")
"""What a base image brings, and is only read."""
LOCAL = "/usr/local"
"""Where the base image has its Python."""
ETC = ("ssl", "ca-certificates", "resolv.conf", "hosts", "nsswitch.conf", "passwd", "group")
PIPS = ("pip.conf", "xdg")
"""Where this machine says how pip gets packages; for the build alone."""
NAMESPACES = (
    "--mount",
    "--pid",
    "--ipc",
    "--uts",
    "--fork",
    "--kill-child",
    "--propagation=private",
)
BASE_ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}


class Image(msgspec.Struct):
    """What comes of it: a root, and how it is run."""

    root: Path
    local: Path  # what is at /usr/local there
    env: dict[str, str]
    labels: dict[str, str]
    volumes: list[str]
    entrypoint: list[str]
    command: list[str]
    health: list[str]
    user: str = "0:0"
    cwd: str = "/"
    stop: str = "SIGTERM"

    @property
    def ids(self) -> tuple[int, int]:
        """User and group."""
        uid, _, gid = self.user.partition(":")
        return int(uid), int(gid or 0)


def why_not() -> str:
    """Why nothing can be built here; empty if it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs Linux, and root there"
    missing = [
        name for name in ("unshare", "nsenter", "setpriv", "mount") if not shutil.which(name)
    ]
    if missing:
        return f"needs {', '.join(missing)} (util-linux)"
    asked = ["unshare", "--net", *NAMESPACES, "--mount-proc", "true"]
    tried = subprocess.run(asked, capture_output=True, check=False)
    return "" if tried.returncode == 0 else f"may not unshare: {tried.stderr.decode().strip()}"


def system_binds() -> list[tuple[str, str, bool]]:
    """This machine's system and Python, where the base image has its own."""
    folders = [
        f"/{name}"
        for name in SYSTEM
        if Path("/", name).is_dir() and not Path("/", name).is_symlink()
    ]
    if sys.base_prefix != LOCAL:
        folders.append(sys.base_prefix)
    return [("/dev", "/dev", True), *((folder, folder, False) for folder in dict.fromkeys(folders))]


SAYS: dict[str, tuple[str, Callable[[Step], object]]] = {
    "CMD": ("command", lambda step: step.words),
    "ENTRYPOINT": ("entrypoint", lambda step: step.words),
    "HEALTHCHECK": ("health", lambda step: json.loads(step.text.removeprefix("CMD "))),
    "STOPSIGNAL": ("stop", lambda step: step.text),
    "USER": ("user", lambda step: step.text),
    "VOLUME": ("volumes", lambda step: step.words),
    "WORKDIR": ("cwd", lambda step: step.text),
}
"""Instructions that say how the image is run: of what field, and how."""


class Builder:
    """Builds the stages of one Dockerfile below a folder."""

    def __init__(self, source: Path, below: Path, arguments: dict[str, str]) -> None:
        self._source = source
        self._below = below
        self._arguments = arguments
        self._sent = sent(source, Ignored((source / ".dockerignore").read_text()))
        self._images: dict[str, Image] = {}

    def build(self) -> Image:
        """The image of the last stage. Raises CalledProcessError where a step fails."""
        text = (self._source / "Dockerfile").read_text()
        for number, stage in enumerate(stages(text, self._arguments)):
            self._images[stage.name or str(number)] = self._base(number)
            self._do_all(stage, self._images[stage.name or str(number)])
        return [*self._images.values()][-1]

    def _base(self, number: int) -> Image:
        """A root with the folders of a base image, and a `python` with pip at /usr/local."""
        root = self._below / f"stage-{number}"
        for folder in ("dev", "proc", "tmp", "etc", "var/lib", "root/.cache/pip", "opt"):
            (root / folder).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        for name in SYSTEM:
            _same_link(Path("/", name), root / name)
        for name in (*ETC, *(PIPS if number == 0 else ())):
            _same(Path("/etc", name), root / "etc" / name)
        local = self._below / f"local-{number}"
        _python_at(local)
        image = Image(root, local, dict(BASE_ENV), {}, [], [], [], [])
        for source, target, _ in self._binds(image):
            if Path(source).is_dir() and target != LOCAL:
                (root / target.lstrip("/")).mkdir(parents=True, exist_ok=True)
        return image

    def _binds(self, image: Image) -> list[tuple[str, str, bool]]:
        """For the build: the system, and where this machine's pip has packages and its cache."""
        kept = [(str(one), str(one), False) for one in Path("/opt").iterdir() if one.is_dir()]
        cache = Path(os.environ.get("PIP_CACHE_DIR", "~/.cache/pip")).expanduser()
        cached = [(str(cache), "/root/.cache/pip", True)] if cache.is_dir() else []
        return [*system_binds(), (str(image.local), LOCAL, True), *kept, *cached]

    def _do_all(self, stage: Stage, image: Image) -> None:
        known: dict[str, str] = {}
        for step in stage.steps:
            if step.name == "ARG":
                known |= argument(step, self._arguments)
                continue
            if step.name not in LITERAL:
                step = step._replace(text=replaced(step.text, {**known, **image.env}))
            self._do(step, image, known)

    def _do(self, step: Step, image: Image, known: dict[str, str]) -> None:
        if step.name == "RUN":
            self._run(step, image, known)
        elif step.name == "COPY":
            self._copy(step, image)
        elif step.name in {"ENV", "LABEL"}:
            (image.env if step.name == "ENV" else image.labels).update(step.pairs)
        elif step.name in SAYS:
            field, read = SAYS[step.name]
            setattr(image, field, read(step))
        else:
            assert step.name == "EXPOSE", f"{step.name} is not known here"
        if step.name == "WORKDIR":
            _inside(image, image.cwd).mkdir(parents=True, exist_ok=True)

    def _run(self, step: Step, image: Image, known: dict[str, str]) -> None:
        argv = step.words if step.is_exec else ["/bin/sh", "-c", step.text]
        spec = {
            "root": str(image.root), "binds": self._binds(image), "read_only": False,
            "alone": False, "user": image.ids, "cwd": image.cwd, "argv": argv,
        }  # fmt: skip
        ours = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        cache = {} if "mount" in step.flags else {"PIP_NO_CACHE_DIR": "1"}
        env = {**ours, **known, **image.env, "PIP_CACHE_DIR": "/root/.cache/pip", **cache}
        ran = entered(spec, env, stderr=subprocess.STDOUT, stdout=subprocess.PIPE)
        said, _ = ran.communicate()
        if ran.returncode:
            raise AssertionError(f"RUN {shlex.join(argv)[:200]}\n{said}")

    def _copy(self, step: Step, image: Image) -> None:
        *sources, target = step.words
        into = _inside(image, target if target.startswith("/") else f"{image.cwd}/{target}")
        for source in sources:
            if "from" in step.flags:
                _same(_inside(self._images[step.flags["from"]], source), into, os.link)
            else:
                self._copy_sent(source, into, is_folder=target.endswith("/"))

    def _copy_sent(self, source: str, into: Path, *, is_folder: bool) -> None:
        """A file, or the files of a folder, as far as they reach the engine."""
        found = [name for name in self._sent if name == source or name.startswith(f"{source}/")]
        assert found, f"COPY {source}: nothing of it is sent"
        for name in found:
            inner = name.removeprefix(source).lstrip("/")
            one = into / (inner or (Path(name).name if is_folder else ""))
            one.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._source / name, one)
            one.chmod(0o600)  # an engine keeps modes: so they are where umask is 077


def entered(spec, env, *namespaces: str, **how) -> "subprocess.Popen[str]":
    """A program of a root, started in namespaces of its own."""
    outside = [sys.executable, "-I", str(ENTER), json.dumps(spec)]
    return subprocess.Popen(
        ["unshare", *NAMESPACES, *namespaces, *outside],
        env=env, text=True, stdin=subprocess.DEVNULL, **how,
    )  # fmt: skip


def _inside(image: Image, path: str) -> Path:
    return image.root / os.path.normpath(path).lstrip("/")


def _same_link(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.readlink())


def _same(source: Path, target: Path, how: Callable[..., object] = shutil.copy2) -> None:
    """With its modes, its owners and its links."""
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, copy_function=how)
    elif source.exists():
        how(source, target)


def _python_at(prefix: Path) -> None:
    """This Python, with the pip that the tests' lock pins."""
    if sys.base_prefix == LOCAL:
        shutil.copytree(LOCAL, prefix, symlinks=True)
        return
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    subprocess.run([base, "-m", "venv", "--without-pip", prefix], check=True)
    packages = next((prefix / "lib").glob("python3*/site-packages"))
    for file in importlib.metadata.files("pip") or ():
        if ".." not in file.parts and file.suffix != ".pyc":
            (packages / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), packages / file)
