"""What .ci/docs.py makes of the types: the tables of docs/, the examples in them, the schemas."""

import re
import runpy
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from proxy.cli import main
from proxy.config.load import load_policies
from proxy.config.shape import kind_of
from proxy.stages import SECTIONS
from proxy.units import Seconds

ROOT = Path(__file__).resolve().parent.parent
DOCS = runpy.run_path(str(ROOT / ".ci" / "docs.py"))
EXAMPLES = sorted((ROOT / "policies" / "examples").glob("*.yaml"))


def test_what_is_made_is_fresh():
    """`make docs` makes it so."""
    stale = [path.name for path, text in DOCS["made"]().items() if path.read_text("utf-8") != text]

    assert stale == [], "run make docs"


def test_every_default_has_a_source_and_every_section_an_example():
    """And none is left over."""
    assert DOCS["complaints"]() == []


def test_a_source_is_named_in_few_words():
    """A system, a paper, an RFC, or our own reasoning; no link, which would rot."""
    told = [text for kind in ("policies", "settings") for text in DOCS["sources"](kind).values()]

    assert [text for text in told if "://" in text or len(text.split()) > 16] == []


def test_every_knob_says_what_it_means():
    """In a sentence, with what is allowed."""
    knobs = [knob for group in DOCS["all_knobs"]().values() for knob in group]

    assert len(knobs) > 50
    assert [knob.path for knob in knobs if not (knob.meaning.endswith(".") and knob.allowed)] == []


def test_it_asks_for_the_command_where_a_page_is_stale(monkeypatch, capsys, tmp_path):
    """`--check` writes nothing; without it the page is as it should be."""
    page = tmp_path / "page.md"
    page.write_text("Mine.\n<!-- made: settings -->\nold\n<!-- made by make docs -->\nMine too.\n")
    run = DOCS["main"]
    monkeypatch.setitem(run.__globals__, "PAGES", (page,))
    monkeypatch.setitem(run.__globals__, "ROOT", tmp_path)
    monkeypatch.setitem(run.__globals__, "SCHEMAS", {})
    monkeypatch.setattr(sys, "argv", ["docs.py", "--check"])
    before = page.read_text()

    assert run() == 1
    assert capsys.readouterr().err == "page.md is stale: run make docs\n"
    assert page.read_text() == before

    monkeypatch.setattr(sys, "argv", ["docs.py"])
    assert run() == 0
    assert page.read_text().startswith("Mine.\n<!-- made: settings -->\n\n| knob |")
    assert page.read_text().endswith("|\n\n<!-- made by make docs -->\nMine too.\n")


class Link(msgspec.Struct, frozen=True):
    """Where else a call may go.

    More is told elsewhere.
    """

    upstream: Annotated[str, Meta(description="Its name.")]


class Inner(msgspec.Struct, frozen=True):
    """Parts of a part."""

    wait: Annotated[Seconds, Meta(description="So long.")] = Seconds(1.0)


class Outer(msgspec.Struct, frozen=True):
    """One of each."""

    links: tuple[Link, ...] | Inner = ()
    more: Annotated[tuple[Link, ...], Meta(description="More of them.")] = ()
    inner: Inner = Inner(wait=Seconds(2.0))
    maybe: Inner | None = None
    texts: str | tuple[str, ...] | UnsetType = UNSET
    by_name: dict[str, Inner] = msgspec.field(default_factory=dict)
    one_or_more: Inner | tuple[Inner, ...] | None = None
    whatever: Any = None
    on: bool = True
    part: float = 0.5


def knobs(kind=Outer):
    found = DOCS["knobs_in"](kind_of(kind), "", None, set())
    return {knob.path: knob for knob in found}


def test_every_part_of_a_type_is_a_knob():
    """Items of lists, mappings by name, mappings inside; what may stand there twice only once."""
    assert list(knobs()) == [
        "links",
        "links[].upstream",
        "links.wait",
        "more",
        "inner.wait",
        "maybe",
        "maybe.wait",
        "texts",
        "by_name",
        "by_name.*.wait",
        "one_or_more",
        "one_or_more.wait",
        "whatever",
        "on",
        "part",
    ]


def test_defaults_are_those_in_force():
    """Of the mapping that is there by default, not of its type alone."""
    found = knobs()
    told = {path: knob.default for path, knob in found.items()}

    assert told["inner.wait"] == "2s"
    assert told["maybe.wait"] == "1s"
    assert (told["links"], told["maybe"], told["by_name"]) == ("[]", "null", "{}")
    assert (told["on"], told["part"], told["texts"]) == ("true", "0.5", None)
    assert found["links[].upstream"].required


def test_what_is_allowed_is_said_in_words():
    """Null last; a list of what may stand alone is not spelled out again."""
    found = knobs()

    assert found["texts"].allowed == "text, or a list of such"
    assert found["maybe"].allowed == "a mapping, or null"
    assert found["one_or_more"].allowed == "a mapping, or a list of such, or null"
    assert found["whatever"].allowed == "anything"
    assert found["by_name"].allowed == "a mapping, each a mapping"
    assert found["inner.wait"].allowed == "a duration"
    assert found["links"].meaning == "Parts of a part."
    assert found["more"].meaning == "More of them."


def test_a_row_says_where_its_default_comes_from():
    """And what must be given, or counts as not given, has none."""
    found = knobs()

    row = found["inner.wait"].row({"inner.wait": "a|b"})
    assert row == r"| `inner.wait` | So long. | a duration | `2s` | a\|b |"
    assert found["links[].upstream"].row({}).endswith("| text | must be given | – |")
    assert found["texts"].row({}).endswith("| – | – |")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_folder_of_its_own(example, tmp_path, capsys):
    """It loads by itself, without a warning, shows its section, and editors complete it."""
    shutil.copy(example, tmp_path)

    with pytest.raises(SystemExit) as exited:
        main(["check", "--strict", str(tmp_path)])

    assert (exited.value.code, capsys.readouterr().err) == (0, "")
    text = example.read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=../schema.json\n# ")
    assert re.search(rf"^(    )?{example.stem}:", text, re.MULTILINE)


def test_the_bench_has_every_section_on(tmp_path):
    """`--only sections` measures them all, and its policies load."""
    shutil.copy(ROOT / "tests" / "bench" / "sections.yaml", tmp_path)
    (tmp_path / "00.yaml").write_text("upstreams: {gateway: {url: http://h, protocol: tools}}")
    loaded = load_policies(tmp_path, environ={})
    on = {name for policy in loaded.policies for name, part in policy.sections.items() if part.on}

    assert (loaded.warnings, on) == ((), set(SECTIONS))


def test_the_page_shows_every_example():
    """Word for word."""
    page = (ROOT / "docs" / "policies.md").read_text("utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)

    assert {example.stem for example in EXAMPLES} >= SECTIONS.keys()
    for example in EXAMPLES:
        assert example.read_text("utf-8").partition("\n")[2] in blocks


def test_an_alert_is_told_without_its_template():
    """Labels by their names, numbers as N: in what it says and in what it means."""
    rule = {
        "alert": "Dear",
        "labels": {"severity": "ticket"},
        "annotations": {
            "summary": "{{ $labels.tool }} costs {{ $value | humanize }}",
            "description": "{{ $value }} of {{ $labels.budget }}.",
        },
    }

    assert DOCS["_alert"](rule) == "| `Dear` | ticket | – | `tool` costs N | N of `budget`. |\n"
