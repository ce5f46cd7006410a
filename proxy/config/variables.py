"""`${VAR}`, `${VAR:-default}` and `${file:/path}` in texts; `$${` stands for `${`."""

import re
from collections.abc import Mapping
from pathlib import Path

from proxy.config.disk import LARGEST, content

_REFERENCE = re.compile(r"(?P<plain>\$\$\{)|\$\{(?P<named>[^{}]*)\}|\$\{")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(:-(.*))?", re.DOTALL)


class Unset(Exception):
    """A reference that leads nowhere. Its text says which, and what to do."""


def replaceable(text: str) -> bool:
    """Is there anything to replace?"""
    return "${" in text


def replace(text: str, environ: Mapping[str, str], files: list[Path]) -> str:
    """The text with its references replaced, once. Files that it names are added to `files`.

    A default is used where the variable is unset or empty, as in a shell. Raises Unset.
    """

    def found(match: re.Match[str]) -> str:
        # One that is not closed, or has another inside, names nothing: an error as well.
        return "${" if match["plain"] else _value(match["named"] or "", environ, files)

    return _REFERENCE.sub(found, text)


def _value(reference: str, environ: Mapping[str, str], files: list[Path]) -> str:
    if reference.startswith("file:"):
        path = Path(reference.removeprefix("file:"))
        files.append(path)
        return _content(path)
    parts = _VARIABLE.fullmatch(reference)
    if parts is None:
        raise Unset("expected ${VAR}, ${VAR:-default} or ${file:/path}; $${ stands for ${ itself")
    name, default = parts[1], parts[3]
    value = environ.get(name)
    if default is not None:
        return value or default
    if value is None:
        raise Unset(f"the environment has no {name}; set it, or give a default: ${{{name}:-…}}")
    return value


def _content(path: Path) -> str:
    try:
        raw = content(path)
        if len(raw) > LARGEST:
            raise Unset(f"{path} is larger than 1 MiB")
        return raw.decode().rstrip("\r\n")
    except OSError as error:
        raise Unset(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Unset(f"{path} is not UTF-8") from error
