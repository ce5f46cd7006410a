"""`holdfast prices`: what tokens of models cost, and a newer table of it.

Nothing here talks to a proxy, or to anybody: a table is made of the library genai-prices as it is
installed, so a newer library makes a newer table.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from proxy.cli.journals import Failed
from proxy.cli.page import cut, paint, say, table
from proxy.cli.problems import UNREADABLE, loading

if TYPE_CHECKING:
    from proxy.config.money import Prices
    from proxy.config.price_list import PriceList
    from proxy.state.rates import Rates

_POLICIES = "policies"
_SHOWN = ("input", "cache_read", "cache_write", "cache_write_1h", "output")
_HEAD = ("MODEL", "BY", "INPUT", "CACHE READ", "CACHE WRITE", "FOR 1H", "OUTPUT")


@click.group()
def prices() -> None:
    """Show what models cost, and take a newer table of it.

    \b
    Examples:
      holdfast prices list --model 'gpt-*' --by openai
      holdfast prices update --output policies/prices.json
    """


class _Row(NamedTuple):
    """What a model costs, by whom."""

    model: str
    by: str
    rates: "Rates"


@prices.command(name="list")
@click.option("--model", "glob", metavar="GLOB", default="*", help="Only of such names.")
@click.option("--by", metavar="NAME", help="Only of this vendor; policies: those of the files.")
@click.option("--json", "as_json", is_flag=True)
def listed(glob: str, by: str | None, as_json: bool) -> int:
    """Show what a million tokens cost now, in US dollars: by the policy files, then by the table.

    The table is the one that they name (prices: {table: …}), else that which comes with Holdfast.
    What policy files say of a model comes before it. Models have more names in the table than are
    shown: with a date at their end, or with their vendor before them.

    \b
    Examples:
      holdfast prices list --model 'claude-*' --by anthropic
      holdfast prices list --json | jq '.items[] | select(.by == "openai")'
    Exit codes: 0 shown, 1 there is none of this name, 2 cannot read, 64 wrong usage.
    """
    from proxy.config.load import load_policies
    from proxy.config.price_list import shipped
    from proxy.config.settings import load_settings

    with loading():
        written = load_policies(load_settings().policies).prices
    used = written.table or shipped()
    rows = [row for row in _rows(written, used) if by in (None, row.by) and _holds(glob, row.model)]
    if not rows:
        whose = "" if by is None else f" by {by}"
        raise Failed(f"no price of a model {glob}{whose}; holdfast prices list shows all there are")
    if as_json:
        print(json.dumps({"source": used.source, "items": [*map(_item, rows)]}, indent=2))
    else:
        say(_lines(rows, used.source))
    return 0


def _holds(glob: str, model: str) -> bool:
    from proxy.globs import holds

    return holds(glob.lower(), model.lower())


def _rows(written: "Prices", used: "PriceList") -> Iterator[_Row]:
    from proxy.clock import Clock

    now = Clock.wall()
    for name, price in written.models.items():
        yield _Row(name, _POLICIES, price.rates)
    for vendor in used.vendors:
        for model in used.models(vendor):
            tariff = model.tariff
            if tariff is not None:
                yield _Row(model.id, vendor, tariff.at(now))


def _item(row: _Row) -> dict[str, object]:
    above = [
        {"input_tokens": start, **_amounts(rates, "_mtok")} for start, rates in row.rates.above
    ]
    told: dict[str, object] = {"model": row.model, "by": row.by, **_amounts(row.rates, "_mtok")}
    return told | ({"above": above} if above else {})


def _amounts(rates: "Rates", suffix: str = "") -> dict[str, str]:
    return {f"{name}{suffix}": _dollars(getattr(rates, name)) for name in _SHOWN}


def _dollars(rate: int) -> str:
    from proxy.state.rates import SCALE

    text = f"{Decimal(rate) / SCALE:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _lines(rows: list[_Row], source: str) -> Iterator[str]:
    cells = [
        [paint(cut(name, 40), bold=bold), paint(cut(by, 24)), *_amounts(rates).values()]
        for row in rows
        for name, by, rates, bold in (
            (row.model, row.by, row.rates, True),
            *((f"  above {start:,} in", "", more, False) for start, more in row.rates.above),
        )
    ]
    yield from table(_HEAD, cells, "llrrrrr")
    yield paint(f"  US dollars for a million tokens; table: {source}", dim=True)


@prices.command()
@click.option(
    "--output", metavar="FILE", default="prices.json", show_default=True, help="Where it goes."
)
def update(output: str) -> int:
    """Write the table of the library genai-prices, as it is installed, to a file.

    Nothing is asked of the network; for the newest table, upgrade the library first. A policy file
    then names the file, and a running proxy takes it in like any change of its policies:
    prices: {table: prices.json}. A file that is there is replaced as a whole.

    \b
    Example:
      pip install --upgrade 'holdfast[llm]' && holdfast prices update --output policies/prices.json
    Exit codes: 0 written, or the same as before, 1 there is no such library, or one of another
    kind, 2 cannot be written, 64 wrong usage.
    """
    from proxy.cli.price_table import newest

    try:
        made = newest()
    except ImportError as error:
        why = "the library genai-prices is not installed: pip install 'holdfast[llm]'"
        raise Failed(why) from error
    except ValueError as error:
        raise Failed(str(error)) from error
    path = Path(output)
    try:
        same = path.is_file() and path.read_bytes() == made
        if not same:
            _write(path, made)
    except OSError as error:
        raise Failed(f"{output}: cannot be written: {error.strerror}", UNREADABLE) from error
    say(_told(path, same))
    return 0


def _told(path: Path, same: bool) -> Iterator[str]:
    from proxy.config.price_list import PriceList

    made = PriceList.read(path)
    models = sum(len(made.models(vendor)) for vendor in made.vendors)
    what = f"{models} models by {len(made.vendors)} vendors, of {made.source}"
    yield f"{path}: {what}{'; nothing has changed' if same else ''}"
    yield f"A policy file names it: prices: {{table: {path}}}"


def _write(path: Path, content: bytes) -> None:
    """All of it, or nothing: a proxy may read it at any moment. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(handle, 0o644)
            file.flush()
            os.fsync(handle)
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise
