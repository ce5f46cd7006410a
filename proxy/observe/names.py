"""The names that metrics show: few, whatever agents make up (`labels.py`)."""

from collections.abc import Iterable

from proxy.observe.labels import OTHER, Tools, Vocabulary, presentable


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
        return self.label("upstream", upstream), self.label("tool", tool)

    def name_tools(self, tools: Iterable[str]) -> None:
        """The tools that policies name exactly."""
        self.tools.name(tools)
