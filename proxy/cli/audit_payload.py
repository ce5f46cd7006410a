"""What is kept of a call, shown by `holdfast audit show --payload`."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxy.cli.journals import Failed
from proxy.cli.page import paint
from proxy.cli.problems import UNREADABLE

if TYPE_CHECKING:
    from proxy.journal.kept import Body


def payload_of(data_dir: Path, record: str) -> dict[str, Any]:
    """As JSON has it, with the salts that prove it: HMAC-SHA-256(salt, content) is the commitment.

    Raises Failed where there is none, or where it cannot be read.
    """
    from proxy.journal.kept import fetch
    from proxy.journal.rows import Places
    from proxy.journal.sealing import Trouble

    try:
        kept = fetch(Places(data_dir), record)
    except Trouble as trouble:
        raise Failed(str(trouble), UNREADABLE) from trouble
    if kept is None:
        raise Failed(
            f"no payload is kept of {record}: no policy asked for it, or it was lost or erased"
        )
    bodies = {
        "request": (kept.request, kept.request_salt),
        "response": (kept.response, kept.response_salt),
    }
    shown = {name: _shown(body, salt) for name, (body, salt) in bodies.items() if body is not None}
    return {"id": record, "payload": kept.mode, **shown}


def lines_of(told: dict[str, Any]) -> Iterator[str]:
    """For people."""
    yield f"{paint('payload', dim=True)}  {paint(told['payload'])}"
    for part in ("request", "response"):
        if part in told:
            body = told[part]
            note = f", {body['note']}" if body["note"] else ""
            yield ""
            yield f"{paint(part, bold=True)}  {body['bytes']} bytes{paint(note)}"
            yield from map(paint, body.get("text", body.get("base64", "")).splitlines())


def _shown(body: "Body", salt: bytes) -> dict[str, Any]:
    told = {"bytes": body.size, "changed": body.changed, "note": body.note, "coding": body.coding}
    content = body.content
    if content is None:
        return told
    try:
        shown = {"text": content.decode()}
    except UnicodeDecodeError:
        shown = {"base64": base64.b64encode(content).decode()}
    return {**told, "salt": salt.hex(), **shown}
