"""The side store at work: opened when it is needed, and filled with what calls leave.

It is opened at the start where it is there already, or where a policy keeps payloads. Whoever keeps
none has no thread, no file and no key for it. Who destroys what is in it is in `erasures.py`.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.call import Call
from proxy.clock import Clock
from proxy.journal.sealing import Trouble
from proxy.journal.taking import SPACE, CallTaking, Parcel, Space, Wish
from proxy.record import Noted

if TYPE_CHECKING:
    from proxy.journal.intake import Intake
    from proxy.journal.payloads import Payloads, PayloadsState


class SideStore:
    """`open` if it is to be used, `close`. What is in other threads says so."""

    def __init__(
        self,
        data_dir: Path,
        clock: Clock,
        noted: Noted,
        *,
        heard: "Callable[[PayloadsState], None]",
        bug: Callable[[BaseException], None],
        space: int = SPACE,
    ) -> None:
        """`heard`, `bug`: hear of it in any thread."""
        self.space = Space(space)
        self._data_dir = data_dir
        self._clock = clock
        self._noted = noted
        self._heard = heard
        self._bug = bug
        self._opening = threading.Lock()
        self._closed = False
        self._intake: Intake | None = None
        self.payloads: Payloads | None = None
        """None: it is not open."""

    @property
    def there(self) -> bool:
        """Was anything ever kept in this data dir?"""
        return (self._data_dir / "payloads").is_dir()

    @property
    def kept(self) -> int:
        """Calls of which something was kept, since the start."""
        return 0 if self._intake is None else self._intake.kept

    def open(self) -> None:
        """Take the folder, go on with what a crash interrupted. Blocks; in any thread; once more
        does nothing. Raises Trouble."""
        from proxy.journal.intake import Intake  # with SQLite: most data dirs never need it
        from proxy.journal.payloads import Payloads

        with self._opening:
            if self.payloads is not None or self._closed:
                return
            payloads = Payloads(self._data_dir, self._clock, heard=self._heard)
            payloads.open()
            intake = Intake(payloads, self.space, self._noted.note, self._clock.now, self._bug)
            intake.start()
            self.payloads, self._intake = payloads, intake

    def close(self) -> None:
        """All that was taken is written and its records are noted. Blocks. Once more does
        nothing."""
        with self._opening:
            self._closed = True
            if self._intake is not None:
                self._intake.stop()
            if self.payloads is not None:
                self.payloads.close()

    def taking(self, call: Call, wish: Wish) -> CallTaking | None:
        """What takes the bodies of a call from here on; None: nothing can be kept."""
        if self._intake is None:
            return None
        return CallTaking(call, wish, self.space, self._clock.now)

    def keep(self, parcel: Parcel) -> None:
        """Its record is noted when it is known what it says. Never waits, never raises."""
        assert self._intake is not None, "who took it was made here"
        self._intake.put(parcel)

    def destroy(self, what: str, whose: str) -> tuple[int, int]:
        """All that is kept of a task or an agent: how many payloads, and keys. In a thread. Calls
        that have ended are in the store before, and so are destroyed as well. Raises Trouble."""
        if not self.there:
            return 0, 0
        self.open()
        payloads, intake = self.payloads, self._intake
        if payloads is None or intake is None:
            raise Trouble("closed", "the process stops; ask again when it runs")
        intake.drained().wait()
        return payloads.erase(**{what: whose})
