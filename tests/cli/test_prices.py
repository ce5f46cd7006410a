"""`holdfast prices`."""

import json
import sys

import pytest

from proxy.config.price_list import SHIPPED, PriceList

POLICIES = """
prices:
  models:
    "gpt-4o": {input_mtok: 1.5, output_mtok: 6, cache_write_1h_mtok: 3}
"""


def words(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_what_models_cost(holdfast, policies):
    """What the files say first, then the table; dearer steps stand beneath."""
    policies(POLICIES)
    ran = holdfast("prices", "list", "--model", "GPT-4o")
    assert ran.code == 0
    assert words(ran.out)[:3] == [
        "MODEL BY INPUT CACHE READ CACHE WRITE FOR 1H OUTPUT",
        "gpt-4o policies 1.5 1.5 1.5 3 6",
        "gpt-4o openai 2.5 1.25 2.5 2.5 10",
    ]
    assert ran.out.splitlines()[-1].strip().startswith("US dollars for a million tokens; table:")
    ran = holdfast("prices", "list", "--model", "claude-sonnet-4-5", "--by", "anthropic")
    assert words(ran.out)[1:3] == [
        "claude-sonnet-4-5 anthropic 3 0.3 3.75 6 15",
        "above 200,000 in 6 0.6 7.5 12 22.5",
    ]


def test_for_programs(holdfast, here):
    """Decimal numbers as texts: exact."""
    ran = holdfast("prices", "list", "--model", "gpt-4o-mini", "--by", "openai", "--json")
    told = json.loads(ran.out)
    assert told["source"].startswith("genai-prices ")
    assert told["items"] == [
        {
            "model": "gpt-4o-mini", "by": "openai", "input_mtok": "0.15",
            "cache_read_mtok": "0.075", "cache_write_mtok": "0.15", "cache_write_1h_mtok": "0.15",
            "output_mtok": "0.6",
        }
    ]  # fmt: skip
    ran = holdfast("prices", "list", "--model", "claude-sonnet-4-5", "--by", "anthropic", "--json")
    (item,) = json.loads(ran.out)["items"]
    assert item["above"][0]["input_tokens"] == 200_000
    assert item["above"][0]["output_mtok"] == "22.5"


@pytest.mark.parametrize(
    ("asked", "told"), [((), "no price of a model nope;"), (("--by", "x"), "a model nope by x;")]
)
def test_a_model_that_is_not_there(holdfast, here, asked, told):
    """Where to find those that are."""
    ran = holdfast("prices", "list", "--model", "nope", *asked)
    assert (ran.code, ran.out) == (1, "")
    assert told in ran.err


def test_policies_that_are_wrong(holdfast, policies):
    """They are said, and nothing is shown."""
    policies("prices: {models: {m: {input_mtok: dear}}}\n")
    ran = holdfast("prices", "list")
    assert (ran.code, ran.out) == (1, "")
    assert "input_mtok" in ran.err


def test_a_table_of_ones_own(holdfast, here, policies):
    """The one that policies name is the one that counts."""
    text = SHIPPED.read_text("utf-8").replace("genai-prices ", "ours, of genai-prices ", 1)
    (here / "own.json").write_text(text)
    policies("prices: {table: own.json}\n")
    ran = holdfast("prices", "list", "--model", "gpt-4o", "--json")
    assert json.loads(ran.out)["source"].startswith("ours")


def test_a_newer_table(holdfast, here):
    """All of the library's, in a file that a policy can name; the same again changes nothing."""
    ran = holdfast("prices", "update", "--output", "new.json")
    assert ran.code == 0
    first, last = ran.out.splitlines()
    assert first.startswith("new.json: ")
    assert "models by " in first
    assert last == "A policy file names it: prices: {table: new.json}"
    made = PriceList.read(here / "new.json")
    made.check()
    assert "openai" in made.vendors
    before = (here / "new.json").stat()
    ran = holdfast("prices", "update", "--output", "new.json")
    assert ran.out.splitlines()[0].endswith("; nothing has changed")
    assert (here / "new.json").stat().st_mtime_ns == before.st_mtime_ns
    assert before.st_mode & 0o777 == 0o644
    assert [path.name for path in here.iterdir()] == ["new.json"]


def test_an_older_table_is_replaced(holdfast, here):
    """As a whole."""
    (here / "prices.json").write_text("old")
    ran = holdfast("prices", "update")
    assert ran.code == 0
    assert PriceList.read(here / "prices.json").vendors


def test_a_table_that_cannot_be_written(holdfast, here):
    """Why is said, and nothing is left behind."""
    ran = holdfast("prices", "update", "--output", "no/prices.json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "holdfast: no/prices.json: cannot be written: No such file or directory\n"
    (here / "folder").mkdir()
    ran = holdfast("prices", "update", "--output", "folder")
    assert ran.code == 2
    assert "folder: cannot be written: Is a directory" in ran.err
    assert [path.name for path in here.iterdir()] == ["folder"]


def test_without_the_library(holdfast, here, monkeypatch):
    """How to get it."""
    monkeypatch.setitem(sys.modules, "genai_prices.data", None)
    ran = holdfast("prices", "update")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.endswith("is not installed: pip install 'holdfast[llm]'\n")


def test_a_library_of_another_kind(holdfast, here, monkeypatch):
    """No traceback."""
    monkeypatch.setattr("genai_prices.data.providers", [object()])
    ran = holdfast("prices", "update")
    assert (ran.code, ran.out) == (1, "")
    assert "is not of the kind that this version can read" in ran.err
