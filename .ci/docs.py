"""Fills what is made from the types into docs/ and policies/; people write the rest of these files.

In a page, what stands between `<!-- made: WHAT -->` and `<!-- made by make docs -->` is written by
this program: tables of knobs, and for each section of a policy its docstring and its example
(policies/examples/SECTION.yaml); what else a file holds may have one too. A knob is whatever a file
may set. Where its default comes from is told by docs/sources.toml. `--check` writes nothing. Exit
0: fine, 1: stale or not complete.
"""

import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from msgspec import NODEFAULT, UNSET
from msgspec import inspect as mi

from proxy.config.files import POLICY, POLICY_FILE
from proxy.config.schema import schema, spelled
from proxy.config.settings import Settings
from proxy.config.shape import kind_of
from proxy.config.wording import bare, expected
from proxy.observe.slo.ends import CODES, ENDS
from proxy.stages import SECTIONS

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "docs" / "sources.toml"
EXAMPLES = ROOT / "policies" / "examples"
PAGES = tuple(
    ROOT / "docs" / f"{name}.md" for name in ("policies", "prometheus", "settings", "slos")
)
RULES = tuple(ROOT / "helm" / "holdfast" / "rules" / f"{name}.yaml" for name in ("health", "slos"))
SCHEMAS = {
    ROOT / "policies" / "schema.json": "policies",
    ROOT / "policies" / "settings.schema.json": "settings",
    ROOT / "policies" / "tokens.schema.json": "tokens",
}
LIST = "a list, each "
END = "<!-- made by make docs -->"
REGION = re.compile(rf"(<!-- made: (\w+) -->\n).*?({END})", re.DOTALL)


class Knob(NamedTuple):
    """One thing that a file may set."""

    path: str  # retry.backoff.base; [] is an item of a list, * a name that the file gives
    meaning: str
    allowed: str
    default: str | None  # as a file has it; None: it must be given, or counts as not given
    required: bool

    def row(self, sources: dict[str, str]) -> str:
        """Its line of a table."""
        default = "must be given" if self.required else "–"
        if self.default is not None:
            default = f"`{self.default}`"
        cells = (self.meaning, self.allowed, default, sources.get(self.path, "–"))
        return (
            " | ".join((f"| `{self.path}`", *(cell.replace("|", r"\|") for cell in cells))) + " |"
        )


def knobs_in(kind: mi.Type, path: str, given: Any, told: set[type]) -> Iterator[Knob]:
    """Those inside of what a type allows at a path. `given`: the default of all of it, if any.

    `told` holds the types of a list's items that were told already: one list of links is enough.
    """
    kind = bare(kind)
    if isinstance(kind, mi.StructType):
        for field in kind.fields:
            yield from _knobs_at(field, path, given, told)
    elif isinstance(kind, mi.UnionType):
        alone = _classes(kind)
        for member in kind.types:
            if not _is_list_of(member, alone):
                yield from knobs_in(member, path, given, told)
    elif isinstance(kind, mi.DictType):
        yield from knobs_in(kind.value_type, f"{path}.*", None, told)
    elif isinstance(kind, mi.VarTupleType):
        items = _classes(kind.item_type)
        if not items <= told:
            told |= items
            yield from knobs_in(kind.item_type, f"{path}[]", None, told)


def _knobs_at(field: mi.Field, path: str, given: Any, told: set[type]) -> Iterator[Knob]:
    here = f"{path}.{field.encode_name}" if path else field.encode_name
    default = getattr(given, field.name, _default(field))
    knob = Knob(
        path=here,
        meaning=_meaning(field.type),
        allowed=_allowed(field.type),
        default=None if default in (NODEFAULT, UNSET) else _written(spelled(default)),
        required=field.required,
    )
    # A mapping that is always there is no more than its parts.
    if not isinstance(bare(field.type), mi.StructType):
        yield knob
    yield from knobs_in(field.type, here, default, told)


def _default(field: mi.Field) -> Any:
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def _classes(kind: mi.Type) -> set[type]:
    kind = bare(kind)
    if isinstance(kind, mi.UnionType):
        return set().union(*map(_classes, kind.types))
    return {kind.cls} if isinstance(kind, mi.StructType) else set()


def _is_list_of(kind: mi.Type, alone: set[type]) -> bool:
    """Is it a list of mappings that may stand there alone as well?"""
    kind = bare(kind)
    return isinstance(kind, mi.VarTupleType) and bool(_classes(kind.item_type) & alone)


def _meaning(kind: mi.Type) -> str:
    said = (kind.extra_json_schema or {}) if isinstance(kind, mi.Metadata) else {}
    if "description" in said:
        return str(said["description"])
    docs = [each.__doc__ or "" for each in sorted(_classes(kind), key=lambda cls: cls.__name__)]
    return docs[0].partition("\n")[0] if docs else ""


def _allowed(kind: mi.Type) -> str:
    """In words, without the examples that an error would give."""
    kind = bare(kind)
    if isinstance(kind, mi.AnyType):
        return "anything"
    if isinstance(kind, mi.VarTupleType):
        return f"{LIST}{_allowed(kind.item_type)}"
    if isinstance(kind, mi.DictType):
        return f"a mapping, each {_allowed(kind.value_type)}"
    if isinstance(kind, mi.UnionType):
        # `null` goes last; a union has it wherever it was written.
        members = sorted(kind.types, key=lambda member: isinstance(member, mi.NoneType))
        words = dict.fromkeys(map(_allowed, members))
        return ", or ".join(_shorter(each, words) for each in words)
    return expected(kind).partition(" such as ")[0]


def _shorter(words: str, others: Iterable[str]) -> str:
    """Of a list whose items may stand there alone as well."""
    item = words.removeprefix(LIST)
    return "a list of such" if item != words and item in others else words


def _written(value: Any) -> str:
    """A value as YAML has it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value) or '""'


def _kinds(cls: type) -> dict[str, mi.Type]:
    kind = kind_of(cls)
    assert isinstance(kind, mi.StructType)
    return {field.encode_name: field.type for field in kind.fields}


def section_knobs() -> dict[str, list[Knob]]:
    """By section. `mode`, which each of them has, is told once, in words, where it is no more."""
    kinds = _kinds(POLICY)
    return {
        name: [
            knob
            for knob in knobs_in(kinds[name], name, None, set())
            if knob.path != f"{name}.mode" or SECTIONS[name].ways
        ]
        for name in SECTIONS
    }


def policy_knobs() -> list[Knob]:
    """What a policy has beside its sections."""
    return [
        knob
        for knob in knobs_in(kind_of(POLICY), "", None, set())
        if knob.path.partition(".")[0] not in SECTIONS
    ]


def file_knobs() -> dict[str, list[Knob]]:
    """By what a policy file may hold beside policies: upstreams above all."""
    return {
        name: list(knobs_in(kind, name, None, set()))
        for name, kind in _kinds(POLICY_FILE).items()
        if name != "policies"
    }


def setting_knobs() -> list[Knob]:
    """What `holdfast.yaml` may say."""
    return list(knobs_in(kind_of(Settings), "", None, set()))


def all_knobs() -> dict[str, list[Knob]]:
    """Those of the two kinds of files."""
    grouped = [policy_knobs(), *section_knobs().values(), *file_knobs().values()]
    return {"policies": [knob for group in grouped for knob in group], "settings": setting_knobs()}


def sources(kind: str) -> dict[str, str]:
    """Where the default of a knob comes from, for one kind of files."""
    told: dict[str, str] = tomllib.loads(SOURCES.read_text(encoding="utf-8"))[kind]
    return told


def table(knobs: list[Knob], kind: str = "policies") -> str:
    """Of Markdown."""
    told = sources(kind)
    head = "| knob | meaning | allowed | default | source of the default |\n| - | - | - | - | - |\n"
    return head + "".join(f"{knob.row(told)}\n" for knob in knobs)


def example_of(section: str) -> str:
    """A block with the example of a section; empty where there is none."""
    path = EXAMPLES / f"{section}.yaml"
    if not path.exists():
        return ""
    _, _, text = path.read_text(encoding="utf-8").partition("\n")  # the first line is for editors
    return f"```yaml\n{text.strip()}\n```\n\n"


def _sections() -> str:
    said = {name: cleandoc(section.__doc__ or "") for name, section in SECTIONS.items()}
    return "\n".join(
        f"### {name}\n\n{said[name]}\n\n{example_of(name)}{table(knobs)}"
        for name, knobs in section_knobs().items()
    )


def _files() -> str:
    kinds = _kinds(POLICY_FILE)
    return "\n".join(
        f"### {name}\n\n{_meaning(kinds[name])}\n\n{example_of(name)}{table(knobs)}"
        for name, knobs in file_knobs().items()
    )


def _ends() -> str:
    """How ends count for objectives, and which codes of calls are which."""
    codes: dict[str, list[str]] = {}
    for code, end in CODES.items():
        codes.setdefault(end.name, []).append(f"`{code}`")
    head = "| end | counts | what it is | codes of refused and stopped calls |\n| - | - | - | - |\n"
    rows = ((f"`{end.name}`", end.counts, end.means, codes.get(end.name, ["–"])) for end in ENDS)
    return head + "".join(
        f"| {name} | {counts} | {means} | {', '.join(these)} |\n"
        for name, counts, means, these in rows
    )


def _alerts() -> str:
    """Those of the chart's rules, with what to do about each."""
    head = "| alert | severity | after | what it says | what it means |\n| - | - | - | - | - |\n"
    groups = [
        group
        for path in RULES
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    ]
    return head + "".join(map(_alert, (rule for group in groups for rule in group["rules"])))


def _alert(rule: dict[str, Any]) -> str:
    said = (_plain(rule["annotations"][part]) for part in ("summary", "description"))
    cells = (rule["labels"]["severity"], rule.get("for", "–"), *said)
    return f"| `{rule['alert']}` | {' | '.join(cells)} |\n"


def _plain(text: str) -> str:
    """`{{ $labels.slo }}` is shown as the label's name, a number as N."""
    text = re.sub(r"\{\{ if .*?\{\{ end \}\}", "", text)
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"`\1`", text)
    return re.sub(r"\{\{ \$value.*?\}\}", "N", text)


MAKERS: dict[str, Callable[[], str]] = {
    "alerts": _alerts,
    "ends": _ends,
    "policy": lambda: table(policy_knobs()),
    "sections": _sections,
    "files": _files,
    "settings": lambda: table(setting_knobs(), "settings"),
}


def filled(page: str) -> str:
    """A page with all its regions as they should be."""
    return REGION.sub(lambda region: f"{region[1]}\n{MAKERS[region[2]]()}\n{region[3]}", page)


def made() -> dict[Path, str]:
    """Every file that is made, or has made parts, as it should be."""
    pages = {path: filled(path.read_text(encoding="utf-8")) for path in PAGES}
    return pages | {path: schema(kind) for path, kind in SCHEMAS.items()}


def complaints() -> list[str]:
    """What only people can mend."""
    found = []
    for kind, knobs in all_knobs().items():
        needed = {knob.path for knob in knobs if knob.default is not None}
        told = set(sources(kind))
        found += [f"docs/sources.toml: no source for {path}" for path in sorted(needed - told)]
        found += [f"docs/sources.toml: {path} has no default" for path in sorted(told - needed)]
    known = {path.stem for path in EXAMPLES.glob("*.yaml")}
    return [
        *found,
        *(f"policies/examples/{name}.yaml is missing" for name in sorted(set(SECTIONS) - known)),
        *(f"policies/examples/{name}.yaml: no section" for name in sorted(known - _shown())),
    ]


def _shown() -> set[str]:
    """What may have an example: sections, and what a file may hold beside policies."""
    return {*SECTIONS, *POLICY_FILE.__struct_fields__}


def main() -> int:
    """Write what is stale, or only say so."""
    stale = {
        path: text for path, text in made().items() if path.read_text(encoding="utf-8") != text
    }
    found = complaints()
    for path, text in stale.items():
        if "--check" in sys.argv:
            found.append(f"{path.relative_to(ROOT).as_posix()} is stale: run make docs")
        else:
            path.write_text(text, encoding="utf-8")
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
