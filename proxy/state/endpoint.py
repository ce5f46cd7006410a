"""Where the store is, and who we are to it."""

from typing import NamedTuple


class Endpoint(NamedTuple):
    """Of a Redis. Without hosts there is none."""

    kind: str = "single"  # single | sentinel | cluster
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""  # of the Sentinels
    user: str = ""
    password: str = ""
    db: int = 0
    tls: bool = False
    ca: str = ""  # files
    cert: str = ""
    key: str = ""

    def __repr__(self) -> str:
        """Without the password: this may be in an error."""
        return f"Endpoint({self.kind}, {self.hosts})"
