"""Asking a running proxy at its admin address, and what is said where that cannot be done."""

import contextlib
import http.client
import json
import re
import socket
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from proxy.cli.showing import headers

PATIENCE = 10.0
"""Seconds. An admin side that takes longer is not well."""
_ADDRESS = re.compile(r"(?:http://)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>\d+)/?")


class Unanswered(click.ClickException):
    """No answer that can be used. Exit code 1."""


def ask(admin: str, path: str, query: Mapping[str, str] | None = None) -> Any:
    """What the proxy at `admin` (a URL, host:port or unix:/path) has at `path`.

    Raises Unanswered, and UsageError for what is no such address.
    """
    return _asked(admin, "GET", path, f"{path}?{urlencode(query)}" if query else path)


def tell(admin: str, path: str, content: Any, patience: float = PATIENCE) -> Any:
    """What the proxy answers to JSON that is posted to `path`. Raises the same."""
    return _asked(admin, "POST", path, path, json.dumps(content), patience)


def delete(admin: str, path: str, query: Mapping[str, str], patience: float = PATIENCE) -> Any:
    """What the proxy answers to a DELETE of `path`. Raises the same."""
    target = f"{path}?{urlencode(query)}"
    return _asked(admin, "DELETE", path, target, patience=patience)


def answered(admin: str, path: str) -> tuple[int, Any]:
    """Status and JSON of a page that says something by its status as well. Raises the same."""
    return _answer(admin, "GET", path)


def _asked(
    admin: str,
    method: str,
    path: str,
    target: str,
    content: str | None = None,
    patience: float = PATIENCE,
) -> Any:
    status, told = _answer(admin, method, target, content, patience)
    if status != 200:
        raise Unanswered(_refused(admin, path, status, told))
    return told


def _answer(
    admin: str, method: str, target: str, content: str | None = None, patience: float = PATIENCE
) -> tuple[int, Any]:
    connection = _connection(admin, patience)
    try:
        connection.request(method, target, content, headers(admin))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        raise Unanswered(
            f"no proxy answers at {admin}: {why}; start one with `holdfast run`,"
            " or name another with --admin"
        ) from error
    except (http.client.HTTPException, ValueError, RecursionError) as error:
        raise Unanswered(_stranger(admin)) from error
    finally:
        connection.close()


def every(admin: str, path: str, query: Mapping[str, str] | None = None) -> list[Any]:
    """All items of a list, page by page."""
    return [item for page in pages(admin, path, query) for item in page["items"]]


def pages(admin: str, path: str, query: Mapping[str, str] | None = None) -> Iterator[Any]:
    """All pages of a list: each has `items`."""
    more: dict[str, str] = {}
    while True:
        page = ask(admin, path, {**(query or {}), **more, "limit": "1000"})
        with understood(admin):
            _ = [*page["items"]]
            following = page["next"]
        yield page
        if following is None:
            return
        more = {"cursor": following}


@contextlib.contextmanager
def understood(admin: str) -> Iterator[None]:
    """What is read within may be anything: raises Unanswered where it is not what we say."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Unanswered(_stranger(admin)) from error


def admin_of_settings() -> str:
    """Where the settings say that the admin side is.

    At an address that other machines reach as well (in a pod, where kubelet must) a token would be
    needed: there it is the socket of the data dir, if there is one.
    """
    from proxy.cli.problems import loading
    from proxy.config.settings import load_settings
    from proxy.journal.folder import CONTROL

    with loading():
        settings = load_settings()
    door = Path(settings.data_dir) / CONTROL
    return f"unix:{door}" if _is_open(settings.admin) and door.exists() else settings.admin


def _is_open(admin: str) -> bool:
    """Do other machines reach it?"""
    try:
        return not ip_address(admin.rpartition(":")[0].strip("[]")).is_loopback
    except ValueError:  # a socket, or localhost
        return False


def _refused(admin: str, path: str, status: int, content: Any) -> str:
    if not isinstance(content, dict) or content.get("type") != "about:blank":
        return _stranger(admin)
    if status == 401:
        return f"the proxy at {admin} refuses: {content['detail']}; see --token"
    if status == 404 and not content.get("detail"):
        return f"the proxy at {admin} has no {path}: it is of another version"
    return f"the proxy at {admin} refuses: {content.get('detail') or content['title']}"


def _stranger(admin: str) -> str:
    return f"what answers at {admin} is no admin side of Holdfast; see --admin"


def _connection(admin: str, patience: float) -> http.client.HTTPConnection:
    if admin.startswith("unix:"):
        return _BySocket(admin.removeprefix("unix:"), patience)
    found = _ADDRESS.fullmatch(admin)
    if found is None or int(found["port"]) > 65535:
        raise click.UsageError(
            f"--admin must be http://host:port, host:port or unix:/path, not {admin}"
        )
    return http.client.HTTPConnection(found["host"].strip("[]"), int(found["port"]), patience)


class _BySocket(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, patience: float) -> None:
        super().__init__("localhost", timeout=patience)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
