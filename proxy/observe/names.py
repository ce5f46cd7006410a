"""The names that metrics show: few, whatever agents make up (`labels.py`)."""

from collections.abc import Iterable

from proxy.observe.labels import OTHER, Tools, Vocabulary, presentable

MOST_PAIRS = 1_000
"""Tools of upstreams that have rows of their own: each is some seventy lines of a page."""


class Names:
    """What may stand in each label. A name that was shown once stays shown."""

    def __init__(self) -> None:
        self.tools = Tools()
        self.upstreams = Vocabulary()
        self.agents = Vocabulary()
        self._vocabularies = {
            "upstream": self.upstreams,
            "policy": Vocabulary(),
            "reason": Vocabulary(),
            "scope": Vocabulary(),
        }
        self._pairs: set[tuple[str, str]] = set()

    def label(self, label: str, value: str) -> str:
        """The value, or what it is shown as."""
        if label == "tool":
            return self.tools.of(value) if value else ""  # empty: the upstream's own circuit
        vocabulary = self._vocabularies.get(label)
        if vocabulary is not None:
            return vocabulary.of(value)
        return value if presentable(value) else OTHER

    def shown(self, upstream: str, tool: str) -> tuple[str, str]:
        """The names under which such a call is counted."""
        return self.paired(self.label("upstream", upstream), self.label("tool", tool))

    def paired(self, upstream: str, tool: str) -> tuple[str, str]:
        """Of two values of labels. Each of them is one of 200, which makes 40,000 pairs where
        upstreams take any tool; beyond so many all other tools of an upstream share a row."""
        pair = upstream, tool
        if pair not in self._pairs:
            if len(self._pairs) >= MOST_PAIRS and tool:
                return upstream, OTHER
            self._pairs.add(pair)
        return pair

    def name_tools(self, tools: Iterable[str]) -> None:
        """The tools that policies name exactly."""
        self.tools.name(tools)
