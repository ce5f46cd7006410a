"""What is kept of a call, shown by `holdfast audit show --payload`.

The record is what vouches for it: whoever may write the folder and has the key can put another
payload there, but not one that the journal committed to.
"""

import base64
import hmac
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxy.cli.journals import Failed, harmless
from proxy.cli.page import paint, say
from proxy.cli.problems import UNREADABLE

if TYPE_CHECKING:
    from proxy.journal.kept import Body


_PARTS = ("request", "response")
_SAYS = {True: ("as the journal committed to", "green"),
         False: ("NOT what the journal committed to", "red")}  # fmt: skip


def show_payload(data_dir: Path, record: str, lines: Sequence[bytes], as_json: bool) -> None:
    """What is kept of a record, and whether its lines in the journal commit to that.

    Raises Failed where there is none, where it cannot be read, or where it is another.
    """
    told = payload_of(data_dir, record, _commitments(record, lines))
    if as_json:
        print(harmless(json.dumps(told, ensure_ascii=False)))
    else:
        say(["", *lines_of(told)])
    wrong = [part for part in _PARTS if part in told and told[part]["committed"] is False]
    if wrong:
        raise Failed(
            f"what is kept as the {' and the '.join(wrong)} of {record} is not what the journal "
            f"committed to: it, or its record, was changed since; do not rely on it, and ask "
            f"holdfast audit verify whether the records hold"
        )


def _commitments(record: str, lines: Sequence[bytes]) -> tuple[str, str]:
    """To request and response; empty: to none, or its end is not in the journal."""
    from proxy.journal.query import commitments, facts
    from proxy.record import Record

    known = [(line, facts(line)) for line in lines]
    ends = [line for line, told in known if told is not None and told.type == Record.type]
    found = commitments(ends[-1]) if ends else ("", "")
    if found is None:
        raise Failed(f"what {record} commits to cannot be read; see holdfast audit verify")
    return found


def payload_of(data_dir: Path, record: str, committed: tuple[str, str]) -> dict[str, Any]:
    """As JSON has it, with the salts that prove it: HMAC-SHA-256(salt, content) is the commitment.

    `committed`: what the journal says. Raises Failed where there is none, or where it cannot be
    read.
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
    bodies = (kept.request, kept.response)
    salts = (kept.request_salt, kept.response_salt)
    shown = {
        part: _shown(body, salt, commitment)
        for part, body, salt, commitment in zip(_PARTS, bodies, salts, committed, strict=True)
        if body is not None
    }
    return {"id": record, "payload": kept.mode, **shown}


def lines_of(told: dict[str, Any]) -> Iterator[str]:
    """For people. What is to be believed comes before what an agent can write."""
    yield f"{paint('payload ', dim=True)}  {paint(told['payload'])}"
    for part in _PARTS:
        if part in told:
            yield f"{paint(f'{part:<8}', dim=True)}  {_said(told[part])}"
    for part in _PARTS:
        if part in told:
            body = told[part]
            note = f", {body['note']}" if body["note"] else ""
            yield ""
            yield f"{paint(part, bold=True)}  {body['bytes']} bytes{paint(note)}"
            yield from map(paint, body.get("text", body.get("base64", "")).splitlines())


def _said(body: dict[str, Any]) -> str:
    if body["committed"] is not None:
        return paint(*_SAYS[body["committed"]])
    missing = "the journal has no commitment to it" if "salt" in body else "it is not kept"
    return paint(f"nothing to compare: {missing}")


def _shown(body: "Body", salt: bytes, commitment: str) -> dict[str, Any]:
    told = {"bytes": body.size, "changed": body.changed, "note": body.note, "coding": body.coding}
    content = body.content
    if content is None:
        return {**told, "committed": None}
    try:
        shown = {"text": content.decode()}
    except UnicodeDecodeError:
        shown = {"base64": base64.b64encode(content).decode()}
    committed = _agrees(salt, content, commitment)
    return {**told, "committed": committed, "salt": salt.hex(), **shown}


def _agrees(salt: bytes, content: bytes, commitment: str) -> bool | None:
    """None: there is none to agree with."""
    made = hmac.digest(salt, content, "sha256").hex()
    return hmac.compare_digest(made.encode(), commitment.encode()) if commitment else None
