"""Where the store is that pods share, as the settings have it (spec 1.1)."""

import re
from urllib.parse import unquote

from proxy.state.endpoint import Endpoint

MEMORY = "memory"
_ALLOWED = (
    "expected memory, redis://[user:pass@]host:port/db, rediss://…, "
    "redis+sentinel://host:port,host:port/service/db or redis+cluster://host:port,host:port"
)
_URL = re.compile(
    r"redis(?P<kind>s?(\+sentinel|\+cluster)?)://"
    r"((?P<user>[^:@/]*)(:(?P<password>[^@/]*))?@)?"
    r"(?P<hosts>[^@/?#]+)(?P<path>/[^?#]*)?"
)
_HOST = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?")
_PORTS = {"single": 6379, "cluster": 6379, "sentinel": 26379}


class StoreUrl(str):
    """`memory`, or the URL of a Redis. What it is shown as holds no password."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "StoreUrl":
        """Raises ValueError, with what is allowed. It never quotes the text: it may hold a
        password."""
        made = cls(text if isinstance(text, str) else "")
        _ = made.endpoint
        return made

    @property
    def endpoint(self) -> Endpoint:
        """Where it is. Raises ValueError."""
        if self.encode().decode() == MEMORY:
            return Endpoint()
        found = _URL.fullmatch(self.encode().decode())
        if found is None:
            raise ValueError(_ALLOWED)
        kind = found["kind"].partition("+")[2] or "single"
        service, db = _path(kind, found["path"] or "")
        hosts = tuple(_host(each, kind) for each in found["hosts"].split(","))
        if kind == "single" and len(hosts) > 1:
            raise ValueError(f"one server has one host; {_ALLOWED}")
        user, password = found["user"] or "", found["password"] or ""
        if found["password"] is None:  # redis://secret@host is of old a password
            user, password = "", user
        return Endpoint(
            kind=kind,
            hosts=hosts,
            service=service,
            user=unquote(user),
            password=unquote(password),
            db=db,
            tls=found["kind"].startswith("s"),
        )

    def __repr__(self) -> str:
        return repr(str(self))

    def __str__(self) -> str:
        return re.sub(r"//[^@/]*@", "//[secret]@", self.encode().decode())

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def _path(kind: str, path: str) -> tuple[str, int]:
    """The service and the number of the database."""
    parts = path.strip("/").split("/") if path.strip("/") else []
    service = ""
    if kind == "sentinel":
        if not parts or not re.fullmatch("[A-Za-z0-9._-]+", parts[0]):
            raise ValueError(f"redis+sentinel:// needs the name of its service; {_ALLOWED}")
        service = parts.pop(0)
    if kind == "cluster" and parts:
        raise ValueError("a cluster has no numbered databases: leave out what stands behind /")
    if len(parts) > 1 or (parts and not re.fullmatch("[0-9]{1,5}", parts[0])):
        raise ValueError(f"the database must be a number; {_ALLOWED}")
    return service, int(parts[0]) if parts else 0


def _host(text: str, kind: str) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    port = _PORTS[kind] if found is None or not found["port"] else int(found["port"])
    if found is None or not 0 < port < 65536:
        raise ValueError(f"the store's URL has no valid host and port; {_ALLOWED}")
    return found["host"].strip("[]"), port
