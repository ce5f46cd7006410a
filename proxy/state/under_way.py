"""Calls that have begun to spend, until their records are noted: what the journal does not know."""

from collections.abc import Callable, Iterator

from proxy.call import Call
from proxy.record import Intent


def _nobody_sleeps() -> None:
    """There is no journal."""


class UnderWay:
    """The calls, by their ids. Each has a purse, or has taken its money of a till: either tells
    what it has spent, and makes its intent."""

    __slots__ = ("_known", "calls", "idle", "stir")

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.idle = True
        """Will nobody look at who enters now? Then he has to `wake` the journal."""
        self.stir: Callable[[], None] = _nobody_sleeps
        """Has the journal ask for `begun`, if nothing else does."""
        self._known: dict[str, bool] = {}  # those seen at the last look: have they an intent?

    def enter(self, call: Call) -> None:
        """It begins to spend: something is reserved, and so its intent can tell of it. It leaves by
        what it spends from (`told`)."""
        self.calls[call.id] = call
        if self.idle:
            self.wake()

    def wake(self) -> None:
        """Somebody has entered, and is to be looked at."""
        self.idle = False
        self.stir()

    def begun(self) -> tuple[list[Intent], bool]:
        """Intents of calls that have not ended since this was last asked, and did not at the time
        before; and are there others? A call that is over before the second look needs none: its
        record tells all. In the journal's thread, before it takes what was noted: who leaves does
        so before its record is noted, so that no intent comes behind that."""
        intents: list[Intent] = []
        more, self.idle = False, True  # first: whom this does not see any more wakes the journal
        before, self._known = self._known, {}
        for name, call in self.calls.copy().items():
            known, purse = before.get(name), call.purse
            if known:
                self._known[name] = True
            elif not purse.over and purse.intent is not None and call.intent is None:
                self._known[name] = known is False
                if known is None:
                    more = True
                else:
                    intents.append(purse.intent(call))
        if more:
            self.idle = False
        return intents, more

    def spent(self) -> Iterator[tuple[str, int, dict[str, int]]]:
        """What each has by now, and to which accounts; for a snapshot, on the loop."""
        for name, call in self.calls.copy().items():  # a thread may take one out meanwhile
            if call.purse.spent:
                yield name, call.purse.spent, call.purse.charges
