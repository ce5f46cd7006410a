"""Sources: of what news tell, and of how things stand, conditions are made.

News tell what changes, at once. What stands is looked at as well, every half minute and at the
start: so that what was over while nobody heard it (a restart, a circuit that went with its policy)
is over here too. What is told once and never taken back lasts for a while.

Labels say what it is about and nothing that changes. Who calls, and which tool, are names that
agents may make up; the machine bounds how many alerts come of them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from proxy.journal.writer import State
from proxy.keep import Keep
from proxy.keys import DESK, KILLS, LEDGER, LINK, CircuitKey
from proxy.news import (
    CIRCUIT_WHY,
    ApprovalChange,
    BudgetChange,
    CircuitChange,
    Event,
    JournalChange,
    KillChange,
    KillTrouble,
    Looped,
    PayloadsChange,
    ReloadChange,
    StoreChange,
    TrafficChange,
    UpstreamTrouble,
)
from proxy.observe.alerts.condition import Condition, Severity, Source, Tell
from proxy.state.case import PENDING
from proxy.state.desk import Desk
from proxy.state.kills import Kills
from proxy.state.ledger import Ledger
from proxy.state.link import Link
from proxy.state.scopes import ALL
from proxy.units import Moment

LOOP_LASTS = 300.0
"""Seconds after which an agent that was stopped for repeating itself does so no more."""
TROUBLE_LASTS = 3600.0
"""Seconds that something is told for which nobody will say that it is over."""
TAMPERED_LASTS = 86_400.0
ENDLESS_BUDGET = 86_400.0
"""Seconds that a part of a limit that never resets is told."""
_FULL = 100  # percent
_UNWRITABLE = frozenset({"full", "stuck", "failed"})
_LOST = frozenset({"down", "foreign", "ended"})


def _about(**labels: str) -> dict[str, str]:
    """Those that say something."""
    return {name: value for name, value in labels.items() if value}


def circuit(upstream: str, tool: str, bulkhead: str, *, holds: bool, why: str = "") -> Condition:
    """Calls are not sent, for the upstream or a tool of it fails."""
    what = f"{upstream}/{tool}" if tool else upstream
    return Condition(
        "breaker",
        "CircuitOpen",
        "ticket",
        _about(upstream=upstream, tool=tool, bulkhead=bulkhead),
        holds,
        f"the circuit of {what} is open: {CIRCUIT_WHY.get(why, why)}",
        _about(why=why),
        group=f"breaker/{upstream}",
    )


def killed(scope: str, by: str, reason: str, *, holds: bool) -> Condition:
    """Calls are stopped."""
    return Condition(
        "kill",
        "Killed",
        "page" if scope == ALL else "ticket",
        {"scope": scope},
        holds,
        f"{scope} is killed by {by}: {reason}",
        _about(by=by, reason=reason),
        group="kill",
    )


def waiting(upstream: str, tool: str, policy: str, number: int) -> Condition:
    """People are to say whether calls may go."""
    many = "1 call waits" if number == 1 else f"{number} calls wait"
    return Condition(
        "approval",
        "ApprovalWaiting",
        "ticket",
        _about(upstream=upstream, tool=tool, policy=policy),
        number > 0,
        f"{many} for people: {upstream}/{tool}",
        {"waiting": str(number)},
        group="approval",
    )


def unwritable(kind: str, why: str) -> Condition:
    """What calls leave is not on the disk."""
    return Condition(
        "journal",
        "JournalUnwritable",
        "page",
        {},
        kind in _UNWRITABLE,
        f"the journal cannot be written ({kind}): {why}",
        {"state": kind},
        group="journal",
    )


def store_lost(why: str, *, holds: bool) -> Condition:
    """The store that pods share has no say."""
    return Condition(
        "store", "StoreLost", "ticket", {}, holds, f"the store is not there: {why}", group="store"
    )


class Sources:
    """A listener to the news."""

    def __init__(self, tell: Tell, keep: Keep, wall: Callable[[], float]) -> None:
        """`wall`: by which windows of budgets begin anew."""
        self._tell = tell
        self._keep = keep
        self._wall = wall
        self.upstreams: Collection[str] | None = None
        """Those that are in the policies; nobody waits for the circuits of others."""
        self._journal: Callable[[], State] = _well
        self._heard: Mapping[type, Callable[[Any], Iterable[Condition]]] = {
            ApprovalChange: self._approval,
            BudgetChange: self._budget,
            CircuitChange: self._circuit,
            JournalChange: _journal,
            KillChange: _kill,
            KillTrouble: _kill_trouble,
            Looped: _looped,
            PayloadsChange: _payloads,
            ReloadChange: _reload,
            StoreChange: _store,
            TrafficChange: _traffic,
            UpstreamTrouble: _upstream,
        }

    def begin(self, journal: Callable[[], State]) -> None:
        """There is a journal."""
        self._journal = journal

    def hear(self, event: Event) -> None:
        """Listens to the news."""
        made = self._heard.get(type(event))
        if made is not None:
            for condition in made(event):
                self._tell(condition)

    def look(self) -> tuple[frozenset[str], list[Condition]]:
        """All that holds now of some alerts: their names, and the conditions."""
        names = frozenset({"CircuitOpen", "Killed", "ApprovalWaiting", "JournalUnwritable"})
        standing = [*self._circuits(), *self._kills(), *self._waiting()]
        state = self._journal()
        standing.append(unwritable(state.kind, state.why))
        link: Link | None = self._keep.seen(LINK)
        if link is None:  # there is none, or none any more
            return names | {"StoreLost"}, standing
        if link.trouble:
            standing.append(store_lost(link.trouble, holds=True))
        return names | {"StoreLost"}, standing

    def is_over(self, condition: Condition) -> bool:
        """Was it said of a budget that is gone, or of a limit that is higher now?"""
        ledger: Ledger | None = self._keep.seen(LEDGER)
        if condition.source != "budget" or ledger is None:
            return False
        about, percent = condition.about, int(condition.told.get("percent", 0))
        if about["budget"] not in ledger.caps:
            return True
        account = ledger.of(about["budget"]).get(about.get("key", ""))
        if account is None:  # it made room for others, or its key was cut
            return False
        of_it = (one for one in account.windows() if one.limit.window == about["window"])
        return all(100 * one.all_spent < percent * one.limit.micros for one in of_it)

    def _circuits(self) -> Iterator[Condition]:
        for key, each in self._keep.each(CircuitKey):
            gone = self.upstreams is not None and key.upstream not in self.upstreams
            if not (key.shadow or each.closed or gone):
                yield circuit(key.upstream, key.tool, key.bulkhead, holds=True, why=each.why)

    def _kills(self) -> Iterator[Condition]:
        kills: Kills | None = self._keep.seen(KILLS)
        for kill in () if kills is None else kills.items():
            yield killed(str(kill.scope), kill.by, kill.reason, holds=True)

    def _waiting(self, without: str = "") -> Iterator[Condition]:
        """`without`: the id of one that does not count."""
        desk: Desk | None = self._keep.seen(DESK)
        numbers: dict[tuple[str, str, str], int] = {}
        for file in () if desk is None else desk.files:
            asked = file.request
            if file.state == PENDING and asked.id != without:
                key = (asked.upstream, asked.tool, asked.policy)
                numbers[key] = numbers.get(key, 0) + 1
        for (upstream, tool, policy), number in numbers.items():
            yield waiting(upstream, tool, policy, number)

    def _approval(self, change: ApprovalChange) -> Iterator[Condition]:
        what = f"{change.upstream}/{change.tool}"
        if change.state == "broken_glass":
            yield Condition(
                "approval",
                "GlassBroken",
                "page",
                _about(upstream=change.upstream, tool=change.tool, policy=change.policy),
                True,
                f"{change.by} stood for all who would have to agree to {what}: {change.why}",
                _about(by=change.by, why=change.why),
                group="glass",
                lasts=TROUBLE_LASTS,
            )
        # One that expires is told of while it still lies there.
        without = change.id if change.state == "expired" else ""
        if change.state == "requested":
            yield waiting(change.upstream, change.tool, change.policy, 1)
        elif change.state != "review" and not any(
            each.about == _about(upstream=change.upstream, tool=change.tool, policy=change.policy)
            for each in self._waiting(without)
        ):
            yield waiting(change.upstream, change.tool, change.policy, 0)

    def _circuit(self, change: CircuitChange) -> Iterator[Condition]:
        # Half open it is not well yet.
        if change.after != "half_open":
            yield circuit(
                change.upstream,
                change.tool,
                change.bulkhead,
                holds=change.after == "open",
                why=change.why,
            )

    def _budget(self, change: BudgetChange) -> Iterator[Condition]:
        lasts = ENDLESS_BUDGET
        if change.resets_at is not None:
            lasts = max(1.0, Moment.parse(change.resets_at) - self._wall())
        name, severity = _of_budget(change.percent)
        whose = f" of {change.key}" if change.key else ""
        yield Condition(
            "budget",
            name,
            severity,
            _about(budget=change.budget, key=change.key, window=change.window),
            True,
            f"{change.percent} % of {change.budget}{whose} is spent: {change.spent} of "
            f"{change.limit} USD ({change.window})",
            _about(
                spent=change.spent, limit=change.limit, percent=str(change.percent),
                resets_at=change.resets_at or "",
            ),
            group=f"budget/{change.budget}/{change.key}/{change.window}",
            lasts=lasts,
        )  # fmt: skip


def _well() -> State:
    """Before the start."""
    return State("ok", 0.0)


def _of_budget(percent: int) -> tuple[str, Severity]:
    return ("BudgetSpent", "page") if percent >= _FULL else ("BudgetThreshold", "ticket")


def _kill(change: KillChange) -> Iterator[Condition]:
    yield killed(change.scope, change.by, change.reason, holds=change.state == "engaged")


def _kill_trouble(change: KillTrouble) -> Iterator[Condition]:
    yield _trouble("kill", "KillTrouble", "page", change.message, {})


def _looped(change: Looped) -> Iterator[Condition]:
    yield Condition(
        "loop",
        "AgentLoops",
        "page" if change.step == "kill" else "ticket",
        _about(agent=change.agent, upstream=change.upstream, tool=change.tool),
        True,
        f"{change.agent} repeats {change.upstream}/{change.tool} ({change.rule}): {change.step}",
        _about(rule=change.rule, step=change.step, workflow=change.workflow),
        group=f"loop/{change.agent}",
        lasts=LOOP_LASTS,
    )


def _journal(change: JournalChange) -> Iterator[Condition]:
    if change.state == "tampered":
        said = _trouble("journal", "JournalTampered", "page", change.why, {}, TAMPERED_LASTS)
        yield said
    elif change.state == "trouble":
        yield _trouble("journal", "JournalTrouble", "ticket", change.why, {})
    else:
        yield unwritable(change.state, change.why)


def _payloads(change: PayloadsChange) -> Iterator[Condition]:
    yield Condition(
        "journal",
        "PayloadsUnwritable",
        "ticket",
        {},
        change.state != "ok",
        f"payloads are not kept ({change.state}): {change.why}",
        {"lost": str(change.lost)},
        group="payloads",
    )


def _reload(change: ReloadChange) -> Iterator[Condition]:
    problems = "; ".join(change.problems[:3])
    yield Condition(
        "reload",
        "ReloadFailed",
        "ticket",
        {},
        change.state == "failed",
        f"policies cannot be used, those before them stay in force: {problems}",
        _about(policy_version=change.policy_version, problems=str(len(change.problems))),
        group="reload",
    )


def _store(change: StoreChange) -> Iterator[Condition]:
    if change.state != "gathering":  # it is there, and hears what each pod has
        yield store_lost(change.why or change.state, holds=change.state in _LOST)


def _traffic(change: TrafficChange) -> Iterator[Condition]:
    backups = ", ".join(change.backups)
    yield Condition(
        "upstream",
        "UpstreamLost",
        "ticket",
        _about(upstream=change.upstream, bulkhead=change.bulkhead),
        change.percent < _FULL,
        f"calls to {change.upstream} go to {backups} ({change.why})",
        _about(backups=backups, percent=str(change.percent)),
        group=f"upstream/{change.upstream}",
    )


def _upstream(change: UpstreamTrouble) -> Iterator[Condition]:
    about = {"upstream": change.upstream}
    yield _trouble("upstream", "UpstreamTrouble", "ticket", change.message, about)


def _trouble(
    source: Source,
    name: str,
    severity: Severity,
    why: str,
    about: dict[str, str],
    lasts: float = TROUBLE_LASTS,
) -> Condition:
    return Condition(
        source, name, severity, about, True, why, group=f"{source}/{name}", lasts=lasts
    )
