"""Which of an upstream's credentials an attempt is sent with, where there are several."""

from proxy.attempt import Attempt

_NOT_ACCEPTED = 401


class Credentials:
    """The one that worked last is where calls begin, so that a key that was revoked costs one of
    them a 401, and not all. A reload that changes them begins with the first again."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._first = 0
        self._refused: set[int] = set()  # those whose last answer was a 401

    def choose(self, attempt: Attempt) -> None:
        """Say which, unless it has been said, and which would be the next."""
        if attempt.credential < 0:
            attempt.credential = self._first
        others = [(attempt.credential + step) % self._count for step in range(1, self._count)]
        # A call may try one other. Of more than two, one that is not known to be useless.
        attempt.spare = next((each for each in others if each not in self._refused), others[0])

    def answered(self, used: int, status: int) -> None:
        """An answer has come, with this status; 0: none has."""
        if status == _NOT_ACCEPTED:
            self._refused.add(used)
        elif 0 < status < 500:  # whoever is let in may still be wrong
            self._refused.discard(used)
            self._first = used
