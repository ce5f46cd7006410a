"""`holdfast budget reconcile`: what pods that died hold of budgets that all pods share."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from proxy.cli.journals import Failed
from proxy.cli.page import cut, paint, say, table
from proxy.cli.problems import UNREADABLE, loading
from proxy.cli.reaching import PATIENCE, control_of, to_change

if TYPE_CHECKING:
    from proxy.config.loaded import Loaded
    from proxy.config.settings import Settings
    from proxy.reconcile import Line, Settled

_US = "holdfast budget reconcile"
_ALL = "\0all"
_MISSING = 3
"""Exit code: pods are missing."""


@click.command()
@click.argument("folder", metavar="[DIR]", required=False)
@click.option("--config", type=click.Path(), help="Settings of DIR; as in holdfast run.")
@click.option("--store", metavar="URL", help="What pods share; else the settings'.")
@click.option("--policies", metavar="DIR", help="Folder of policy files, for the budgets.")
@click.option(
    "--accept",
    is_flag=False,
    flag_value=_ALL,
    metavar="[POD]",
    help="This pod, or all that are missing, will not come back.",
)
@click.option("--yes", is_flag=True, help="With --accept of all: do not ask.")
@click.option("--reason", metavar="TEXT", default=_US, show_default=True, help="Is recorded.")
@to_change
def reconcile(
    folder: str | None,
    config: str | None,
    store: str | None,
    policies: str | None,
    accept: str | None,
    yes: bool,
    reason: str,
    admin: str | None,
    data_dir: str | None,
    as_json: bool,
) -> int:
    """Settle the money of a pod that died, or show which pods are missing.

    A pod that died holds what it was granted of shared budgets, and nobody else may spend that.
    When it starts again with its data dir, all is settled. Where it never will, do it here: with
    DIR, its data dir, on any machine that reaches the store. What it spent is told, the rest goes
    back.

    Without DIR a running proxy says which pods are missing. Where the data dir of one is gone too,
    --accept has what it held count as spent.

    \b
    Examples:
      holdfast budget reconcile
      holdfast budget reconcile /mnt/lost/state --policies policies --store redis://10.0.0.7/0
      holdfast budget reconcile --accept 5f0c1b7e9a3d2846 --reason "its node is gone, case 12"
      holdfast budget reconcile --accept --yes
    Exit codes: 0 settled, or nobody is missing, 1 refused or failed, 2 cannot read, 3 pods are
    missing, 64 wrong usage.
    """
    of_folder = {"--config": config, "--store": store, "--policies": policies}
    if folder is None:
        given = [name for name, value in of_folder.items() if value is not None]
        if given:
            raise click.UsageError(f"{given[0]} goes with DIR")
        return _ask(control_of(admin, data_dir), accept, reason, yes=yes, as_json=as_json)
    if accept is not None or yes or admin or data_dir:
        raise click.UsageError("DIR goes without --accept, --yes, --admin and --data-dir")
    return _settle(folder, config, store, policies, as_json=as_json)


# --- a data dir ---


def _settle(
    folder: str, config: str | None, store: str | None, policies: str | None, *, as_json: bool
) -> int:
    from proxy.config.load import load_policies
    from proxy.config.settings import load_settings

    flags = {"data_dir": folder, "store": store, "policies": policies}
    with loading():
        settings = load_settings(config, flags=flags)
        loaded = load_policies(settings.policies)
    done = _settled(settings, loaded)
    if as_json:
        print(json.dumps(_told(done), indent=2))
    else:
        say(list(_shown(done)))
    return 0 if done.grants else _MISSING


def _settled(settings: "Settings", loaded: "Loaded") -> "Settled":
    from proxy.journal.folder import Locked
    from proxy.journal.notes import BadKey
    from proxy.journal.sealing import Trouble
    from proxy.reconcile import Unsettled, settle
    from proxy.state.store import Rejected

    try:
        return asyncio.run(settle(settings, loaded))
    except Unsettled as error:
        raise Failed(str(error), UNREADABLE if error.unreadable else 1) from error
    except Locked as error:
        who = str(error).partition(":")[0]
        raise Failed(f"{who}: stop it, and it gives back what it holds") from error
    except Rejected as error:
        do = "look at the credentials and certificates in store and store_tls"
        raise Failed(f"the store does not want us: {error}; {do}") from error
    except (BadKey, Trouble) as error:
        raise Failed(str(error)) from error
    except OSError as error:
        what = error.filename or Path(settings.data_dir)
        raise Failed(f"{what} cannot be used: {error.strerror or error}", UNREADABLE) from error


def _told(done: "Settled") -> dict[str, Any]:
    from proxy.state.price import dollars

    return {
        "pod": done.pod.id,
        "life": done.pod.life,
        "items": [_item(line) for line in done.lines],
        "back_besides": dollars(done.rest),
        "grants": done.grants,
        "waits_for": [known.pod.id for known in done.waits_for],
    }


def _item(line: "Line") -> dict[str, Any]:
    from proxy.state.price import dollars

    return {
        "budget": line.budget,
        "per": line.per,
        "key": line.key or None,
        "window": line.window,
        "seconds": line.seconds or None,
        "limit": dollars(line.limit),
        "spent": dollars(line.spent),
        "not_told": dollars(line.late),
        "back": dollars(line.back),
    }


def _shown(done: "Settled") -> Iterator[str]:
    from proxy.state.price import dollars

    if done.lines:
        head = ("BUDGET", "FOR", "WINDOW", "SPENT", "NOT TOLD", "WENT BACK")
        yield from table(head, [_row(_item(line)) for line in done.lines], "lllrrr")
    else:
        yield "  it has spent nothing and held nothing of what there is now"
    if done.rest:
        yield f"  {dollars(done.rest)} went back of windows that are over, or of other budgets"
    yield f"{paint('settled', 'green', bold=True)} pod {paint(done.pod.id)}: nobody waits for it"
    if done.waits_for:
        names = ", ".join(_who(each.pod.id, each.pod.name) for each in done.waits_for)
        yield f"the store grants nothing new yet: it waits for {paint(names)}"
    elif not done.grants:
        yield "the store grants nothing new yet: it was started a moment ago"


def _row(item: dict[str, Any]) -> list[str]:
    whose = item["per"] if item["key"] is None else f"{item['per']} {item['key']}"
    window = f"{item['seconds']} s" if item["seconds"] else item["window"]
    return [
        paint(cut(item["budget"], 20), bold=True),
        paint(cut(whose, 26)),
        paint(window),
        paint(item["spent"]),
        paint(item["not_told"]),
        paint(item["back"]),
    ]


def _who(pod: str, name: str | None) -> str:
    return pod if name in (None, "-") else f"{pod} ({name})"


# --- a running proxy ---


def _ask(address: str, accept: str | None, reason: str, *, yes: bool, as_json: bool) -> int:
    from proxy.cli.asking import ask, every, understood

    told = ask(address, "/v1/pods", {"limit": "1"})
    items = every(address, "/v1/pods")
    with understood(address):
        missing = [item for item in items if not item["alive"]]
        if accept is None:
            return _list(told, missing, as_json=as_json)
        if accept == _ALL:
            if not missing:
                say(["nobody is missing"])
                return 0
            _confirm(missing, yes=yes)
        named = [item["pod"] for item in missing] if accept == _ALL else [accept]
    return _accept(address, named, reason, as_json=as_json)


def _list(told: dict[str, Any], missing: list[dict[str, Any]], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({**told, "items": missing, "next": None}, indent=2))
    else:
        say(list(_listed(told, missing)))
    return _MISSING if missing else 0


def _listed(told: dict[str, Any], missing: list[dict[str, Any]]) -> Iterator[str]:
    if not told["up"]:
        yield f"{paint('the store is not there', 'red')}: {paint(told['why'])}"
    elif told["why"]:
        yield f"{paint('granted nothing', 'red')}: {paint(told['why'])}"
    if not missing:
        yield "nobody is missing"
        return
    rows = [
        [
            paint(item["pod"], bold=True),
            paint(cut(item["name"] or "–", 32)),
            paint("–" if item["life"] is None else item["life"]),
            paint("–" if item["seen"] is None else f"{item['seen'][:19]}".replace("T", " ")),
            paint("yes" if item["pod"] in told["waits_for"] else "no"),
        ]
        for item in missing
    ]
    yield from table(("POD", "MACHINE", "LIFE", "SEEN (UTC)", "WAITED FOR"), rows, "llrll")
    if told["waits_for"]:
        yield "the store grants nothing new before all that it waits for have told what they hold"
    else:
        yield "what they hold of budgets stays held; all else goes on"
    yield "do, for each, the first that can be done:"
    yield "  start it again with its data dir"
    yield f"  {_US} DIR, with its data dir (its pod.json has the id)"
    yield f"  {_US} --accept POD, where that is gone: what it held counts as spent"


def _confirm(missing: list[dict[str, Any]], *, yes: bool) -> None:
    names = ", ".join(_who(item["pod"], item["name"]) for item in missing)
    if yes:
        return
    asked = f"What {paint(names)} held counts as spent, for good. Is that right?"
    try:
        sure = click.confirm(asked, err=True)
    except click.Abort:
        sure = False
    if not sure:
        raise Failed("nothing was done; --yes says it without a question")


def _accept(address: str, pods: list[str], reason: str, *, as_json: bool) -> int:
    from proxy.cli.asking import delete, understood

    done: list[Any] = []
    for pod in pods:
        path = f"/v1/pods/{quote(pod, safe='')}"
        told = delete(address, path, {"reason": reason}, PATIENCE)
        done.append(told)
        if not as_json:
            with understood(address):
                who = paint(_who(told["pod"], told["name"]))
                say([f"{paint('accepted', 'green', bold=True)} {who}: what it held is spent"])
    with understood(address):
        last = done[-1]
        if as_json:
            print(json.dumps({"items": done}, indent=2))
        elif last["waits_for"]:
            say([f"the store still waits for {paint(', '.join(last['waits_for']))}"])
        return _MISSING if last["waits_for"] else 0
