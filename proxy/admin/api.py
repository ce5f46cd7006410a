"""The one table of what the admin side serves: probes, `/v1` (spec 6.2), and its description.

To add a page: a class whose methods take a `Visit` and give what is said (`erasing.py` is one), and
a line in `table` for each. Role, parameters, body, router and `/openapi.json` come from the line.
"""

import asyncio
import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any

from aiohttp import web

from proxy.admin import (
    alerting,
    approvals,
    bodies,
    budgets,
    calls,
    erasing,
    forcing,
    kills,
    tasks,
)
from proxy.admin.agents import Agents
from proxy.admin.alerting import Alerting
from proxy.admin.answers import NotDone, problem, said
from proxy.admin.approvals import Approvals
from proxy.admin.authors import Author
from proxy.admin.budgets import Budgets
from proxy.admin.calls import Calls
from proxy.admin.doors import Doors
from proxy.admin.erasing import Erasing
from proxy.admin.events import CALLS, STREAM, Events
from proxy.admin.forcing import Forcing
from proxy.admin.glance import Glance
from proxy.admin.journal import JournalPage
from proxy.admin.kills import Killing
from proxy.admin.lists import BadParameter, Item
from proxy.admin.me import Me
from proxy.admin.openapi import described
from proxy.admin.pages import Pages
from proxy.admin.pods import Pods
from proxy.admin.probes import Probes
from proxy.admin.rates import Rates
from proxy.admin.reloading import Reloading
from proxy.admin.routes import (
    LISTED,
    PAGED,
    Answer,
    Parameter,
    Route,
    Visit,
    fails,
    shown,
)
from proxy.admin.sight import Sight
from proxy.admin.slos import Slos
from proxy.admin.snapshots import Snapshots
from proxy.admin.tasks import TaskOutcomes
from proxy.config.places import visible
from proxy.config.tokens import Role
from proxy.pipeline.asked import Asked

_STATE = Parameter(
    "state", "Only those.", {"type": "string", "enum": ["open", "half_open", "closed"]}
)
_UNREAD = {503: fails("The journal cannot be read, or others are being answered.")}
_QUESTION = tuple(
    Parameter(name, "In JSON." if name in {"input", "headers", "stream"} else "")
    for name in Asked.__struct_fields__
)


def table(sight: Sight, rates: Rates, events: Events) -> tuple[Route, ...]:
    """Every route, but for that which describes them."""
    return (
        *_probes(Probes(sight)),
        *_glances(sight, rates),
        *_reads(sight),
        *_control(sight),
        *_shared(Pods(sight)),
        *_watches(events),
        *_objectives(sight),
        *_changes(sight),
        *alerting.routes(Alerting(sight)),
    )


def _probes(probes: Probes) -> tuple[Route, ...]:
    well = Answer("It is.")
    unwell = {503: Answer("It is not.")}
    metrics = Answer("All of them.", media=("text/plain", "application/openmetrics-text"))
    ready = "Should calls be sent here?"
    return (
        Route("GET", "/livez", None, "Does the process answer?", probes.live, well),
        Route("GET", "/health/live", None, "Does the process answer?", probes.live, well),
        Route("GET", "/readyz", None, ready, probes.ready, well, also=unwell),
        Route("GET", "/health/ready", None, ready, probes.ready, well, also=unwell),
        Route("GET", "/startupz", None, "Was it ready once?", probes.startup, well, also=unwell),
        Route("GET", "/metrics", None, "For Prometheus.", probes.metrics, metrics),
    )


def _glances(sight: Sight, rates: Rates) -> tuple[Route, ...]:
    """What people look at again and again."""
    pages, agents, asking = Pages(sight, rates), Agents(sight, rates), Approvals(sight)
    glance = Glance(sight, rates, pages, agents, asking)
    of_agents = "Who calls, how much, and when last."
    maybe = Answer("As it is now; null: it is not open yet.", Item | None)
    return (
        shown("/v1/overview", "All that one look should tell.", glance.overview),
        shown("/v1/status", "One screen of all.", pages.status),
        shown("/v1/agents", of_agents, agents.page, LISTED, PAGED),
        shown("/v1/breakers", "Every circuit.", pages.breakers, LISTED, (_STATE, *PAGED)),
        shown("/v1/tools", "Every tool that metrics name.", pages.tools, LISTED, PAGED),
        shown("/v1/policies", "The policies in force.", pages.policies, LISTED, PAGED),
        shown("/v1/journal", "How the journal does.", JournalPage(sight).page, maybe),
        Route(
            *("GET", "/v1/policies/explain", Role.VIEWER, "Why a call would go as it goes."),
            pages.explain,
            query=_QUESTION,
        ),
        *_approving(asking),
    )


def _reads(sight: Sight) -> tuple[Route, ...]:
    of_calls, viewer = Calls(sight), Role.VIEWER
    return (
        Route(
            *("GET", "/v1/calls", viewer, "Calls that have ended, the newest first."),
            of_calls.page,
            LISTED,
            query=calls.FILTERS,
            also=_UNREAD,
        ),
        Route(
            *("GET", "/v1/calls/{id}", viewer, "One call: its intent and its record."),
            of_calls.one,
            query=calls.WHEN,
            also={404: fails("No call has this id, as far as was looked."), **_UNREAD},
        ),
    )


def _control(sight: Sight) -> tuple[Route, ...]:
    killing, unknown = Killing(sight), fails("Nothing is known of it.")
    return (
        Route(
            *("GET", "/v1/budgets", Role.VIEWER, "What may be spent, by whom, and what was."),
            Budgets(sight).page,
            also={404: unknown},
            query=budgets.ASKED,
            shared=True,
        ),
        shown("/v1/kills", "What is killed.", killing.page, LISTED, PAGED),
        Route(
            *("POST", "/v1/kills", Role.OPERATOR, "Stops what is in a scope.", killing.engage),
            Answer("It counts."),
            kills.Engage,
            also={409: fails("So much is killed that it should be a wider scope.")},
        ),
        Route(
            *("DELETE", "/v1/kills/{scope}", Role.OPERATOR, "Lets it go on.", killing.revive),
            Answer("It goes on."),
            query=(Parameter("reason", "Is recorded."),),
            also={
                404: unknown,
                409: fails("It is not killed by hand: a file or a policy does it."),
                503: fails("The journal cannot be written: it stays killed."),
            },
        ),
    )


def _shared(pods: Pods) -> tuple[Route, ...]:
    return (
        Route(
            *("GET", "/v1/pods", Role.VIEWER, "The pods that share a store, and how it does."),
            pods.page,
            also={404: fails("Nothing is shared: the settings name no store.")},
            query=PAGED,
        ),
        Route(
            *("DELETE", "/v1/pods/{id}", Role.OPERATOR),
            "Says that a pod will not come back: what it held counts as spent.",
            pods.give_up,
            Answer("It counts as spent, and nobody waits for the pod."),
            query=(Parameter("reason", "Is recorded. Must be given."),),
            also={
                404: fails("No pod has this id, or nothing is shared."),
                409: fails("It is alive."),
                503: fails("The store, or the journal, does not take it."),
            },
        ),
    )


def _watches(events: Events) -> tuple[Route, ...]:
    return (
        Route(
            *("GET", "/v1/events", Role.VIEWER, "News as they come, and calls as they end."),
            events.stream,
            Answer("A stream of events.", media=(STREAM,)),
            query=(CALLS,),
            also={503: fails("So many listen already.")},
        ),
    )


def _objectives(sight: Sight) -> tuple[Route, ...]:
    of_slos = "Objectives, and what is left of their budgets."
    return (
        shown("/v1/slos", of_slos, Slos(sight).page, LISTED, PAGED),
        Route(
            *("POST", "/v1/tasks/{id:.+}/outcome", Role.OPERATOR, "Says how a task ended."),
            TaskOutcomes(sight).end,
            Answer("It counts, and is recorded."),
            tasks.Said,
            also={
                404: fails("No task of this name is known."),
                409: fails("It has ended otherwise, or several agents have one of this name."),
                503: fails("It counts, but the journal cannot be written."),
            },
            sees="As its calls have it. An agent ends its own, by the credential it calls with.",
            agents=True,
        ),
    )


def _changes(sight: Sight) -> tuple[Route, ...]:
    return (
        Route(
            *("POST", "/v1/reload", Role.OPERATOR, "Reads policies and tokens again."),
            Reloading(sight).reload,
            Answer("They are in force."),
            also={409: fails("They cannot be used; what was in force before still is.")},
        ),
        Route(
            *("POST", "/v1/breakers/{key:.+}", Role.OPERATOR),
            "Keeps a circuit open or closed by hand, or lets it go.",
            Forcing(sight).force,
            Answer("It is so from now on."),
            forcing.Wanted,
            also={404: fails("No circuit has this key.")},
            sees="As /v1/breakers has it: upstream/tool, or the upstream alone.",
        ),
        Route(
            *("POST", "/v1/erasures", Role.OPERATOR),
            "Destroys the payloads of a task or an agent.",
            Erasing(sight.erase).erase,
            Answer("It is done, and recorded."),
            erasing.Asked,
            also={
                409: fails("A legal hold forbids it."),
                503: fails("It may be done in part: ask again."),
            },
        ),
    )


def _approving(handlers: Approvals) -> tuple[Route, ...]:
    unknown = {
        404: fails("Nothing of this id waits for people, or it is over."),
        503: fails("It does not wait here, and the store that pods share does not answer."),
    }
    return (
        shown(
            *("/v1/approvals", "What waits for people, or was just decided.", handlers.page),
            approvals.LISTED,
            (approvals.STATE, *PAGED),
        ),
        Route(
            *("GET", "/v1/approvals/{id}", Role.VIEWER),
            "One of them; approvers see the exact call.",
            handlers.one,
            also=unknown,
        ),
        Route(
            *("POST", "/v1/approvals/{id}/decision", Role.APPROVER, "Approves or denies it."),
            handlers.decide,
            Answer("It is decided, and recorded."),
            approvals.Decision,
            also={
                **unknown,
                409: fails("It is over, or you have decided already, or it cannot be shown."),
                503: fails(
                    "It is decided, but the journal cannot be written; or it does not wait here, "
                    "and the store that pods share does not answer."
                ),
                504: fails("The pod that holds it does not answer; the text says what that means."),
            },
        ),
    )


class Api:
    """The table at work."""

    def __init__(self, sight: Sight) -> None:
        self._clock = sight.clock
        self._recorders = sight.recorders
        self._rates = Rates(sight.metrics, sight.clock)
        self._doors = Doors(sight)
        self._events = Events(sight)
        self._snapshots = Snapshots(sight.clock.now)
        self._events.forgets.append(self._snapshots.forget)
        self._copying: asyncio.Task[None] | None = None
        itself = Route("GET", "/openapi.json", None, "This.", lambda _: self._description)
        me = Route(
            "GET", "/v1/me", None, "Who you are here, and what you may do.", Me(self._doors).me
        )
        self.routes = (*table(sight, self._rates, self._events), me, itself)

    @cached_property
    def _description(self) -> Any:
        """Made when somebody asks for it: it is large."""
        return described(self.routes)

    def add_to(self, router: web.UrlDispatcher, *, control: bool = False) -> None:
        """Put the pages at their paths. `control`: whoever comes in there may make changes."""
        for route in self.routes:
            handler = self._guarded(route, control)
            if route.method == "GET":
                router.add_get(route.path, handler)  # HEAD as well
            else:
                router.add_route(route.method, route.path, handler)

    def serve(self, *, local: bool, by_socket: bool) -> None:
        """It is known where the pages can be reached: only on this machine, or elsewhere too."""
        self._doors.local, self._doors.by_socket = local, by_socket
        self._copying = self._clock.spawn(self._rates.run())

    def stop(self) -> None:
        """End what lasts: the copying of numbers, and streams. May be called again."""
        self._events.close()
        if self._copying is not None:
            self._copying.cancel()

    def _guarded(self, route: Route, control: bool) -> Callable[[web.Request], Any]:
        async def handler(request: web.Request) -> web.StreamResponse:
            try:
                author = await self._doors.enter(request, route, control=control)
                if route.role is not None:
                    _check_query(request, route)
                return await self._answered(request, route, author, control)
            except BadParameter as error:
                return problem(400, "Bad Request", str(error))
            except NotDone as error:
                return error.answer

        return handler

    async def _answered(
        self, request: web.Request, route: Route, author: Author, control: bool
    ) -> web.StreamResponse:
        body = None if route.body is None else await bodies.read(request, route.body)
        visit = Visit(request, author, body, control)

        async def make() -> Any:
            self._recorders.catch_up()
            told = route.handler(visit)
            return await told if inspect.isawaitable(told) else told

        if route.shared:
            return await self._snapshots.answer(request, make)
        try:
            told = await make()
        finally:
            if route.changes:
                self._snapshots.forget()
        return told if isinstance(told, web.StreamResponse) else said(200, told)


def _check_query(request: web.Request, route: Route) -> None:
    """A filter that is misspelled would else let everything through. Raises BadParameter."""
    known = {each.name: each for each in route.query}
    for name in set(request.query):
        if name not in known:
            hint = f"known are {', '.join(known)}" if known else "there are none"
            raise BadParameter(f"{visible(name)}: is no parameter; {hint}")
        given, words = request.query.getall(name), known[name].schema.get("enum")
        if len(given) > known[name].most:
            raise BadParameter(f"{name}: is given too often")
        if words is not None and given[0] not in words:
            allowed = f"{', '.join(words[:-1])} or {words[-1]}"
            raise BadParameter(f"{name}: expected {allowed}, found {given[0]!r}")
