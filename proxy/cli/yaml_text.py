"""YAML that people read and compare: in the order it was made, long texts as they are."""

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their key, and nothing stands for something above."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Never indentless."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """What is there twice is written twice."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)


def text_of(made: Any) -> str:
    """Mappings, lists and scalars as a document."""
    return yaml.dump(made, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
