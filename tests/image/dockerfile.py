"""Reads a Dockerfile and a .dockerignore: what they say, and nothing of what comes of it."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

WORD = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)")
LITERAL = {"RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"}
"""Their words are for a shell, or for the program itself: the builder replaces nothing in them."""


class Step(NamedTuple):
    """One instruction: `COPY --from=build a b` is COPY, {from: build}, `a b`."""

    name: str
    flags: dict[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        """Of `["a", "b"]` or `a b`."""
        return json.loads(self.text) if self.is_exec else self.text.split()

    @property
    def is_exec(self) -> bool:
        """Is it a list, which no shell takes apart?"""
        return self.text.startswith("[")

    @property
    def pairs(self) -> dict[str, str]:
        """Of `A=b C="d e"`."""
        found = re.findall(r'([\w.]+)=("[^"]*"|\S*)', self.text)
        return {name: value.strip('"') for name, value in found}


class Stage(NamedTuple):
    """From one FROM to the next."""

    name: str
    base: str
    steps: list[Step]


def steps(text: str) -> Iterator[Step]:
    """The instructions, each on one line, without comments."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        name, _, rest = line.strip().partition(" ")
        flags: dict[str, str] = {}
        while found := re.match(r"\s*--([\w-]+)=(\S+)\s*", rest):
            flags[found[1]] = found[2]
            rest = rest[found.end() :]
        yield Step(name.upper(), flags, re.sub(r"\s+", " ", rest).strip())


def replaced(text: str, variables: Mapping[str, str]) -> str:
    """With `${NAME}`, `${NAME:-else}` and `$NAME`; what is not known is empty."""
    return WORD.sub(lambda word: variables.get(word[1] or word[3]) or word[2] or "", text)


def stages(text: str, arguments: Mapping[str, str]) -> list[Stage]:
    """All stages. `arguments` are those of --build-arg; ARG before the first FROM has defaults."""
    known: dict[str, str] = {}
    found: list[Stage] = []
    for step in steps(text):
        if step.name == "FROM":
            base, *alias = replaced(step.text, known).split()
            found.append(Stage(alias[1] if alias else "", base, []))
        elif found:
            found[-1].steps.append(step)
        else:
            known |= argument(step, arguments)
    return found


def argument(step: Step, given: Mapping[str, str]) -> dict[str, str]:
    """What an ARG says: its default, if no other value is given."""
    name, _, default = step.text.partition("=")
    return {name: given.get(name, default)}


class Ignored:
    """What a .dockerignore keeps from the engine. The last line that matches decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        self._lines = [
            (not line.startswith("!"), re.compile(_pattern(line.lstrip("!").strip("/"))))
            for line in lines
            if line and not line.startswith("#")
        ]

    def __call__(self, path: str) -> bool:
        """Is a file of the folder kept out?"""
        parts = path.split("/")
        above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        out = False
        for keeps_out, pattern in self._lines:
            if any(pattern.fullmatch(one) for one in above):
                out = keeps_out
        return out


def _pattern(line: str) -> str:
    """`**` is any number of folders, `*` and `?` stay within one name."""
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]*\])", line)
    return "".join(
        known.get(part, part if part.startswith("[") else re.escape(part)) for part in parts
    )


def sent(folder: Path, ignored: Ignored) -> list[str]:
    """The files of a folder that reach the engine."""
    tops = [path for path in folder.iterdir() if path.name not in {".git", ".venv"}]
    inside = (
        path
        for top in tops
        for path in ([top] if top.is_file() else top.rglob("*"))
        if path.is_file()
    )
    names = (path.relative_to(folder).as_posix() for path in inside)
    return sorted(name for name in names if not ignored(name))
