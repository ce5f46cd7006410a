"""A notice of a size that can be kept: labels may hold what agents made up, in any number."""

import msgspec
from msgspec.structs import replace

from proxy.observe.alerts.notice import Notice, Told

LARGEST = 64 << 10
"""Bytes of a notice; those of a larger one are brought down to about that."""
_LONGEST = 500  # characters of a text
_MOST = 20  # labels, and annotations

_encode = msgspec.json.Encoder().encode


def trimmed(notice: Notice) -> Notice:
    """The notice, or what there is room for of it: texts are cut, then the last alerts left out."""
    if len(_encode(notice)) <= LARGEST:
        return notice
    kept: list[Told] = []
    room = LARGEST
    for alert in map(_shortened, notice.alerts):
        room -= len(_encode(alert))
        if kept and room < 0:
            break
        kept.append(alert)
    left_out = notice.left_out + len(notice.alerts) - len(kept)
    return replace(notice, alerts=tuple(kept), left_out=left_out)


def _shortened(alert: Told) -> Told:
    return replace(
        alert,
        summary=alert.summary[:_LONGEST],
        labels=_some(alert.labels),
        annotations=_some(alert.annotations),
    )


def _some(texts: dict[str, str]) -> dict[str, str]:
    return {name[:_LONGEST]: text[:_LONGEST] for name, text in list(texts.items())[:_MOST]}
