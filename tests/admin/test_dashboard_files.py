"""proxy/admin/dashboard/: rules of its files that need no browser."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from proxy.admin.shipped import FOLDER
from proxy.news import CIRCUIT_WHY
from proxy.refusal import KINDS
from proxy.reply import Executed, Result

SCRIPTS = sorted(FOLDER.rglob("*.js"))
LONGEST_FILE, LONGEST_FUNCTION, WIDEST = 400, 50, 200
IMPORT = re.compile(
    r"^(?:import|export) (?:\* as \w+|\{([^}]*)\}) from '(\.[^']+)';$", re.MULTILINE
)
EXPORT = re.compile(r"^export (?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment"
    r"|\beval\b|new Function|setAttribute\('on|javascript:|\.on[a-z]+ ?= |srcdoc"
)
"""Ways from a text to an element or a script."""
STORED = re.compile(
    r"localStorage|sessionStorage|indexedDB|document\.cookie|serviceWorker|caches\."
)
ELSEWHERE = re.compile(r"\b(?:https?|wss?):|'//")
DRAWING = "'http://www.w3.org/2000/svg'"
BEGINS = re.compile(
    r"^(\s*)(?:.*\bfunction\b.*|.*=> ?|(?:async |static |get |set )*#?\w+\(.*\) )\{$"
)
NO_FUNCTION = re.compile(r"^\s*(?:if|for|while|switch|else|try|catch|\} (?:else|catch)|class)\b")


def shown(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


def imports(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Which files, and which of their names."""
    for names, target in IMPORT.findall(path.read_text("utf-8")):
        wanted = [name.split(" as ")[0].strip() for name in names.split(",") if name.strip()]
        yield (path.parent / target).resolve(), wanted


@pytest.mark.parametrize("path", SCRIPTS, ids=shown)
def test_what_a_module_imports_is_there(path):
    """Each file, and each name in it; nothing is taken from elsewhere."""
    lines = [
        line
        for line in re.findall(r"^import .*?;$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        if not IMPORT.match(line)
    ]
    assert lines == []
    for target, wanted in imports(path):
        assert target in SCRIPTS
        assert set(wanted) <= set(EXPORT.findall(target.read_text("utf-8"))), target


@pytest.mark.parametrize("path", SCRIPTS, ids=shown)
def test_what_a_module_imports_it_uses(path):
    """Under the name that it has there."""
    code = re.sub(r"^\s*//.*$", "", path.read_text("utf-8"), flags=re.MULTILINE)
    named = [
        name.split(" as ")[-1].strip()
        for names, _ in IMPORT.findall(code)
        for name in names.split(",")
        if name.strip()
    ]

    assert [name for name in named if len(re.findall(rf"\b{name}\b", code)) < 2] == []


def test_every_module_is_used():
    """From the first one on: what nobody imports is not shipped."""
    seen, waiting = set(), [FOLDER / "app.js"]
    while waiting:
        path = waiting.pop().resolve()
        if path not in seen:
            seen.add(path)
            waiting += [target for target, _ in imports(path)]

    assert [shown(path) for path in SCRIPTS if path.resolve() not in seen] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=shown)
def test_no_text_becomes_markup_and_nothing_is_stored(path):
    """Names come from agents; a token is in memory and nowhere else; nobody else is asked."""
    code = path.read_text("utf-8").replace(DRAWING, "")
    comments = re.compile(r"^\s*//.*$", re.MULTILINE)

    assert MARKUP.findall(comments.sub("", code)) == []
    assert STORED.findall(comments.sub("", code)) == []
    assert ELSEWHERE.findall(comments.sub("", code)) == []


class Tags(HTMLParser):
    """Those of a page, and the texts in scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.found and self.found[-1][0] in {"script", "style"} and data.strip():
            self.inside.append(data)


def test_the_first_page_has_no_script_or_style_of_its_own():
    """The policy would refuse it; what it has is in files beside it."""
    tags = Tags()
    tags.feed((FOLDER / "index.html").read_text("utf-8"))
    names = {name for _, attributes in tags.found for name in attributes}

    assert tags.inside == []
    assert "style" not in {tag for tag, _ in tags.found} | names
    assert not [name for name in names if name.startswith("on")]
    for tag, attributes in tags.found:
        for name in ("src", "href"):
            held = attributes.get(name)
            assert held is None or held.startswith(("{version}/", "#")), tag


def functions(path: Path) -> Iterator[tuple[int, int]]:
    """Where each begins, and its lines; blocks are known by how far they are indented."""
    lines = path.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        begun = BEGINS.match(line)
        if begun is None or NO_FUNCTION.match(line):
            continue
        end = re.compile(rf"^{begun[1]}\}}")
        length = next(
            (later for later, text in enumerate(lines[number + 1 :], 2) if end.match(text)), None
        )
        if length is not None:
            yield number + 1, length


def test_files_and_functions_are_short():
    """As in Python: what does not fit the screen is not understood."""
    long = [shown(path) for path in SCRIPTS if path.read_text("utf-8").count("\n") > LONGEST_FILE]
    large = [
        f"{shown(path)}:{line} has {length} lines"
        for path in SCRIPTS
        for line, length in functions(path)
        if length > LONGEST_FUNCTION
    ]
    wide = [
        f"{shown(path)}:{number}"
        for path in SCRIPTS
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(line) > WIDEST
    ]

    assert sum(1 for path in SCRIPTS for _ in functions(path)) > 100
    assert long + large + wide == []


def test_every_module_says_what_it_is():
    """In a comment at its head."""
    assert [shown(path) for path in SCRIPTS if not path.read_text("utf-8").startswith("// ")] == []


def worded(path: str, table: str) -> dict[str, str]:
    """What one of its tables says of each word; of a list, the first of it."""
    found = re.search(
        rf"^export const {table} = \{{(.*?)^\}};",
        (FOLDER / path).read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None
    return dict(re.findall(r"\b(\w+): \[?'([^']*)'", found[1]))


def test_each_word_that_the_proxy_says_has_one_for_people():
    """No more and no fewer: codes of refusals, results of sendings, whether it ran; and why a
    circuit is as it is, as `holdfast top` says it."""
    assert worded("codes.js", "CODES").keys() == KINDS.keys()
    assert worded("codes.js", "RESULTS").keys() == set(Result)
    assert worded("codes.js", "EXECUTED").keys() == set(Executed)
    assert worded("words.js", "WHY") == CIRCUIT_WHY
