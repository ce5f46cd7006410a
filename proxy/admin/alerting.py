"""`/v1/alerts`: what people are called for, who sees to it, and a try of who would be told."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from proxy.admin.answers import NotDone
from proxy.admin.lists import Item, Key, page
from proxy.admin.routes import LISTED, PAGED, Answer, Parameter, Route, Visit, fails, shown
from proxy.admin.sight import Sight
from proxy.config.tokens import Role
from proxy.observe.alerts.book import Alerts, Unknown
from proxy.observe.alerts.condition import Severity
from proxy.state.kills import LONGEST

STATE = Parameter(
    "state", "Only those.", {"type": "string", "enum": ["firing", "pending", "resolved"]}
)
_LOST = "it counts, but the journal cannot be written: a restart would forget it"


class Acknowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /v1/alerts/{id}/ack`."""

    reason: Annotated[str, Meta(max_length=LONGEST, description="Is recorded.")] = ""


class Try(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /v1/alerts/test`."""

    severity: Annotated[Severity, Meta(description="By which routes may tell them apart.")] = "info"


class Alerting:
    """The handlers."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    @property
    def _alerts(self) -> Alerts:
        return self._sight.alerts

    def page(self, visit: Visit) -> Item:
        """Those that are pending, fire, or were resolved of late; the oldest first. Raises
        BadParameter."""
        state = visit.request.query.get("state")
        items = (alert.shown(inhibited) for alert, inhibited in self._alerts.listed())
        wanted = (item for item in items if state in {None, item["state"]})
        return page(wanted, _oldest, visit.request.query)

    async def acknowledge(self, visit: Visit) -> Item:
        """Answers when it counts; `durable` is false where a restart would forget it. Raises
        NotDone."""
        asked: Acknowledge = visit.body
        name = visit.request.match_info["id"]
        try:
            alert = self._alerts.acknowledge(name, visit.author.name, asked.reason)
        except Unknown as unknown:
            raise NotDone(404, str(unknown)) from unknown
        durable = await self._alerts.durable()
        warnings = [] if durable else [_LOST]
        return {**alert.shown(), "durable": durable, "warnings": warnings}

    def test(self, visit: Visit) -> Item:
        """It fires for a minute, like any other; no ladder is climbed for it. `to` says who is
        told."""
        asked: Try = visit.body
        to = self._alerts.test(asked.severity, visit.author.name)
        warnings = [] if to else ["no route leads to a receiver: nobody is told"]
        why = ((name, self._alerts.trouble(name)) for name in to)
        warnings += [f"{name} is not told at once: {said}" for name, said in why if said]
        return {"severity": asked.severity, "to": to, "warnings": warnings}


def routes(handlers: Alerting) -> tuple[Route, ...]:
    """Their lines of the table."""
    return (
        shown(
            *("/v1/alerts", "What people are called for.", handlers.page, LISTED),
            (STATE, *PAGED),
        ),
        Route(
            *("POST", "/v1/alerts/test", Role.OPERATOR, "Has one fire, to see who is told."),
            handlers.test,
            Answer("It fires, for a minute."),
            Try,
        ),
        Route(
            *("POST", "/v1/alerts/{id}/ack", Role.OPERATOR, "Says that somebody sees to it."),
            handlers.acknowledge,
            Answer("Its ladder is climbed no further."),
            Acknowledge,
            also={404: fails("No alert of this id fires.")},
        ),
    )


def _oldest(item: dict[str, Any]) -> Key:
    return item["starts"] or "", item["id"]
