"""Label values: few, short and printable, whatever an agent sends.

Every new value of a label is a new series for as long as the process lives, here and in the
database that scrapes it. So a name that an agent can make up is shown only once something else
vouches for it; all other names share `other`.
"""

from collections.abc import Iterable

OTHER = "other"
LIMIT = 200
"""Values of one label, `other` among them (spec 5.1)."""
LONGEST = 200
"""Characters of a value; longer ones are somebody's payload."""


def presentable(value: str) -> bool:
    """Can it stand in a label? Control characters and lone surrogates break scrapers."""
    return len(value) <= LONGEST and value.isprintable()


class Vocabulary:
    """The values of a label that come from our own files; the first ones to be seen are kept."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._values: set[str] = set()

    def of(self, value: str) -> str:
        """The value itself, or `other`."""
        if value in self._values:
            return value
        if len(self._values) >= self._limit - 1 or not presentable(value):
            return OTHER
        self._values.add(value)
        return value


class Tools:
    """The tools that have a name in metrics.

    A tool is known when a policy names it exactly or a call to it has succeeded. Places are kept
    free for those that policies name, so that an agent cannot take them by calling others first. A
    tool once known stays known: its counters must not vanish.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit - 1  # `other` is a value too
        self._named: frozenset[str] = frozenset()
        self._known: set[str] = set()
        self._room = self._limit

    def name(self, tools: Iterable[str]) -> None:
        """The tools that policies name now, instead of those they named before."""
        self._named = frozenset(filter(presentable, tools))
        self._count()

    def of(self, tool: str, succeeded: bool = False) -> str:
        """The tool's name if it is known, or becomes so by this success; else `other`."""
        if tool in self._known:
            return tool
        if self._may_learn(tool, succeeded):
            self._known.add(tool)
            self._count()
            return tool
        return OTHER

    def _may_learn(self, tool: str, succeeded: bool) -> bool:
        if tool in self._named:
            return len(self._known) < self._limit
        return succeeded and self._room > 0 and tool != "" and presentable(tool)

    def _count(self) -> None:
        self._room = self._limit - len(self._known | self._named)
