"""What agents did a moment ago, so that one that repeats itself is seen (spec 4.5).

**Whose.** What is counted lies in a `Window`: of an agent, a workflow and a layer. The agent comes
first: who names another one's workflow fills a window of its own, and is told nothing of what that
other was answered. Calls without a workflow fall under the agent, so leaving the header out leads
nowhere; who mints a workflow for each call is seen by nothing here, and held by budgets. Layers lie
apart, because an agent that is stuck asks its model between any two calls of the same tool.

**What is the same.** A call is what its signature says; an answer that is good is the bytes of its
body, one that failed is how it failed: texts of errors carry ids and times. What is no answer (the
call was cancelled, refused by us, or asked to come back later) counts as nothing.

**Calls that come at once.** Nobody knows yet what those under way will be answered. While nothing
is known of a call they may all go, for there are agents that ask a model the same ten times and
vote. Once the same answer has come `SURE` times, each one under way is taken for the next.

**How much.** Windows and tasks are bounded in number, and so is all that windows remember together:
what was not used for longest goes first. What a call under way holds is its own, and is counted
into a window that is gone for nobody.
"""

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable
from typing import NamedTuple, TypeVar

import msgspec

from proxy.call import Call
from proxy.refusal import Refusal
from proxy.state.answers import Answer, Hearing

MOST = 10_000
"""Live workflows, and as many tasks."""
ROOM = 100_000
"""Calls and answers that all windows remember together; each costs about 300 bytes."""
RUNS = 32
"""Different calls that are followed in a window."""
TOOLS = 16
"""Tools whose answers are followed in a window."""
ANSWERS = 32
"""Different answers of a tool that are known again."""
LONGEST = 60
"""Calls in a row that are looked at for a cycle."""
SURE = 2
"""So often the same answer came, before calls under way are taken to be answered so as well."""
_PERIODS = (2, 3)


class Rules(NamedTuple):
    """What a policy calls a loop; None: that is none. Counts are of answered calls."""

    same: int | None = 5
    failing: int | None = 3
    cycle: int | None = 9
    tool: int | None = 50
    note: int | None = 3  # from this call on it is said
    poll: float | None = None  # seconds; repeating no faster is none
    within: float = 600.0  # seconds; what was answered before does not count


class Found(NamedTuple):
    """A rule, and how far it has come."""

    rule: str  # same | failing | cycle | tool
    times: int  # that it was so, before this call
    limit: int
    answer: Answer | None = None  # the last one, if it is the same call's

    @property
    def over(self) -> bool:
        """Must it not go on?"""
        return self.times >= self.limit


class Run(msgspec.Struct, eq=False):
    """One call, again and again."""

    answer: Answer | None = None  # the last one
    answered: float = 0.0  # when it came, on Clock.now
    times: int = 0  # that it came in a row
    started: float = 0.0  # when the last call began
    flying: int = 0  # calls that are not answered yet

    def restart(self) -> None:
        """What was answered so far does not count."""
        self.times = 0
        self.answer = None


class _Told:
    """What a tool answers."""

    __slots__ = ("answers", "since")

    def __init__(self) -> None:
        self.answers: OrderedDict[bytes, None] = OrderedDict()
        self.since = 0  # calls since it said something new


class Window:
    """One workflow of an agent."""

    __slots__ = ("flying", "over", "recent", "runs", "size", "tools", "used")

    def __init__(self) -> None:
        self.runs: OrderedDict[bytes, Run] = OrderedDict()  # by signature
        self.recent: deque[tuple[bytes, object]] = deque(maxlen=LONGEST)
        self.tools: OrderedDict[Hashable, _Told] = OrderedDict()
        self.over = 0  # calls that were stopped since something new was answered
        self.flying = 0
        self.used = 0.0  # on Clock.now
        self.size = 0  # as the bound of all windows knows it

    def find(
        self, signature: bytes | None, tool: Hashable, rules: Rules, now: float
    ) -> Found | None:
        """What a call like this would run into now: what stops it, else what is to be noted."""
        run = None if signature is None else self.runs.get(signature)
        if rules.poll is not None and (run is None or now - run.started >= rules.poll):
            return None
        same = None if run is None else self._same(run, rules, now)
        cycle, silent = self._cycle(signature, rules), self._tool(tool, rules)
        if same is None and cycle is None:  # nearly always
            return silent
        real = [each for each in (same, cycle, silent) if each is not None]
        return next((each for each in real if each.over), real[0])

    def _same(self, run: Run, rules: Rules, now: float) -> Found | None:
        answer = run.answer
        if answer is None or now - run.answered > rules.within:
            return None
        times = run.times + (run.flying if run.times >= SURE else 0)
        rule, limit = ("failing", rules.failing) if answer.failing else ("same", rules.same)
        if limit is None or not _tells(times, limit, rules.note):
            return None
        return Found(rule, times, limit, answer)

    def _cycle(self, signature: bytes | None, rules: Rules) -> Found | None:
        """Does the call go on with what has been going round? What stays in place is none."""
        recent, limit = self.recent, rules.cycle
        if limit is None:
            return None
        for period in _PERIODS:
            if len(recent) < 2 * period or recent[-period][0] != signature:
                continue
            if len({recent[-back] for back in range(1, period + 1)}) == 1:
                continue
            times = _length(recent, period)
            if times >= limit or (rules.note is not None and times >= rules.note * period):
                return Found("cycle", times, limit)
        return None

    def _tool(self, tool: Hashable, rules: Rules) -> Found | None:
        told = self.tools.get(tool)
        if told is None or rules.tool is None or told.since < rules.tool:
            return None
        return Found("tool", told.since, rules.tool)

    def heard(self, tool: Hashable, answer: Answer) -> None:
        """A tool has answered."""
        told = self.tools.get(tool)
        if told is None:
            told = self.tools[tool] = _Told()
            if len(self.tools) > TOOLS:
                self.tools.popitem(last=False)
        self.tools.move_to_end(tool)
        known = answer.digest is not None and answer.digest in told.answers
        told.since = told.since + 1 if known else 0
        if answer.digest is not None:
            told.answers[answer.digest] = None
            told.answers.move_to_end(answer.digest)
            if len(told.answers) > ANSWERS:
                told.answers.popitem(last=False)

    def clear(self) -> None:
        """As if nothing had been."""
        self.runs.clear()
        self.recent.clear()
        self.tools.clear()
        self.over = 0

    def measure(self) -> int:
        """How much it remembers; the difference to what is known of that."""
        size = len(self.runs) + len(self.recent) + len(self.tools)
        for told in self.tools.values():
            size += len(told.answers)
        grown, self.size = size - self.size, size
        return grown


class Turn(msgspec.Struct, eq=False):
    """A call under way, as far as loops go."""

    window: Window
    signature: bytes | None
    tool: Hashable
    run: Run | None = None
    counts: bool = True  # it is no poll that takes its time
    found: Found | None = None  # what is to be noted of it
    hear: Hearing | None = None  # what sees its answer pass


class Task:
    """The calls of one task."""

    __slots__ = ("calls", "used")
    flying = 0  # the oldest goes, whatever it does

    def __init__(self) -> None:
        self.calls = 0
        self.used = 0.0  # on Clock.now


Held = TypeVar("Held", Window, Task)
Asks = Callable[[Call, Refusal], Awaitable[Refusal | None]]
"""Asks a person whether a call that repeats itself may go. None: it may; else what it is told."""
Kills = Callable[[Call, str], None]
"""Has the workflow of a call killed, for this reason. Never waits, never raises."""
Heard = Callable[[Call, str, str], None]
"""Hears of a call that is stopped: by which rule, and by which step. Likewise."""


class Loops:
    """All of it. One for the process, and one for its shadows: look it up in the `Keep`."""

    idle = False  # never makes room for others in the Keep

    def __init__(self, most: int = MOST, room: int = ROOM) -> None:
        self._most = most
        self._room = room
        self._windows: OrderedDict[Hashable, Window] = OrderedDict()
        self._tasks: OrderedDict[Hashable, Task] = OrderedDict()
        self.turns: dict[str, Turn] = {}  # by the ids of their calls
        self.size = 0
        self.asks: Asks | None = None
        self.kills: Kills | None = None
        self.heard: Heard = _nobody

    @property
    def windows(self) -> int:
        """How many there are."""
        return len(self._windows)

    @property
    def tasks(self) -> int:
        """How many there are."""
        return len(self._tasks)

    def window(self, key: Hashable, within: float, now: float) -> Window:
        """The one of this workflow, made if there is none. An idle one has forgotten."""
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = Window()
            _make_room(self._windows, self._most, self._forget)
        elif not window.flying and now - window.used > within:
            window.clear()
        window.used = now
        self._windows.move_to_end(key)
        return window

    def seen(self, key: Hashable) -> Window:
        """The same for who only looks."""
        return self._windows.get(key) or Window()

    def begin(self, call_id: str, turn: Turn, rules: Rules, now: float) -> None:
        """A call goes on its way."""
        self.turns[call_id] = turn
        window, signature = turn.window, turn.signature
        window.flying += 1
        if signature is None:
            return
        runs, poll = window.runs, rules.poll
        run = runs.get(signature)
        if run is None:
            run = runs[signature] = Run()
            if len(runs) > RUNS:
                runs.popitem(last=False)
            turn.counts = poll is None
        else:
            runs.move_to_end(signature)
            turn.counts = poll is None or (run.started > 0.0 and now - run.started < poll)
            if not turn.counts or now - run.answered > rules.within:
                run.restart()
        run.started = now
        run.flying += 1
        turn.run = run

    def end(self, call_id: str) -> Turn | None:
        """It is over; None: that is known already."""
        turn = self.turns.pop(call_id, None)
        if turn is not None:
            turn.window.flying -= 1
            if turn.run is not None:
                turn.run.flying -= 1
        return turn

    def answered(self, turn: Turn, answer: Answer, rules: Rules, now: float, *, did: bool) -> None:
        """What came of a call that is over. `did`: it changed something, so that it was worth
        making though the tool says the same of it as of the one before."""
        window, run = turn.window, turn.run
        first = run is not None and run.answer is None
        if run is not None:
            last = run.answer
            again = last is not None and answer.alike(last)
            run.times = run.times + 1 if again else 1
            run.answer = answer if run.times >= SURE else answer.unsaid()
            run.answered = now
            if not again:
                window.over = 0
            if turn.counts and turn.signature is not None:
                window.recent.append((turn.signature, answer.digest or object()))
        if rules.tool is not None and turn.counts and not (did and first):
            window.heard(turn.tool, answer)
        window.used = now
        self._measure(window)

    def forgive(self, window: Window) -> None:
        """A person says that it may go on: what was so far does not count."""
        window.clear()
        self._measure(window)

    def count(self, key: Hashable, now: float) -> None:
        """One more call of this task."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = Task()
            _make_room(self._tasks, self._most, _nothing)
        task.calls += 1
        task.used = now
        self._tasks.move_to_end(key)

    def calls(self, key: Hashable, since: float) -> int:
        """How many there were of this task. If the last one began before `since` they do not count
        any more."""
        task = self._tasks.get(key)
        if task is None:
            return 0
        if task.used < since:
            task.calls = 0
        return task.calls

    def _measure(self, window: Window) -> None:
        if window.size >= 0:
            self.size += window.measure()
        while self.size > self._room and len(self._windows) > 1:
            self._forget(self._windows.popitem(last=False)[1])

    def _forget(self, window: Window) -> None:
        self.size -= window.size
        window.size = _GONE


_GONE = -1
"""The size of a window that nobody finds any more: what calls under way still put in is not
counted, and goes with the last of them."""
_TRIES = 8


def _tells(times: int, limit: int, note: int | None) -> bool:
    return times >= limit or (note is not None and times + 1 >= note)


def _length(recent: deque[tuple[bytes, object]], period: int) -> int:
    """Of the last calls, how many go round with this period."""
    calls = list(recent)
    matches = 0
    for at in range(len(calls) - 1, period - 1, -1):
        if calls[at] != calls[at - period]:
            break
        matches += 1
    return matches + period


def _make_room(
    held: "OrderedDict[Hashable, Held]", most: int, forget: Callable[[Held], None]
) -> None:
    """The one that was not used for longest and has no call under way; should the oldest all have
    one, the oldest."""
    if len(held) <= most:
        return
    for _ in range(_TRIES):
        key, oldest = held.popitem(last=False)
        if not oldest.flying:
            break
        held[key] = oldest
    else:
        key, oldest = held.popitem(last=False)
    forget(oldest)


def _nothing(task: Task) -> None:
    """Of a task nothing else is known."""


def _nobody(call: Call, rule: str, step: str) -> None:
    """Where nobody wants to know; shadows are never heard."""
