"""The process of `holdfast run`: its signals, its limits, its exit code."""

import asyncio
import contextlib
import gc
import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec

from proxy.app import App
from proxy.clock import Clock
from proxy.config.places import ConfigError
from proxy.config.settings import Settings
from proxy.journal.folder import Locked
from proxy.journal.notes import BadKey
from proxy.journal.sealing import Trouble
from proxy.observe.logs import Log
from proxy.state.store import Rejected

_FILES = 65_536
"""Open files that are asked for at most."""
_KEPT = 640
"""Of those, for the admin side, the journal and whoever stops calls."""
_LEAST = 16
"""Connections that agents may have in any case."""
_YOUNG = 20_000
"""Allocations between two looks of the garbage collector. A call leaves no cycles but for a few on
the paths of failure, and looking after every 700 allocations costs more than a stage."""


def _raise_file_limit() -> None:
    """As many files as the system allows us: each connection is one, and the usual limit is low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _fitting(settings: Settings, log: Log) -> Settings:
    """No more connections of agents than there are files, when each needs one more to an upstream:
    else agents could take those that the command and the file `kill` are read by."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = _FILES if files == resource.RLIM_INFINITY else max(_LEAST, (files - _KEPT) // 2)
    wanted = settings.limits.connections
    if wanted <= most:
        return settings
    if most < wanted // 2:  # else nobody will notice
        few = f"limits.connections: {wanted}, and the limit of open files (ulimit -n) allows {most}"
        log.warning("settings", problem=few)
    limits = msgspec.structs.replace(settings.limits, connections=most)
    return msgspec.structs.replace(settings, limits=limits)


def serve(
    settings: Settings,
    upstream: tuple[str, str] | None,
    ready_file: Path | None,
    drill: int = 1,
) -> int:
    """Serve until SIGTERM or SIGINT; 0 when it stopped as asked, 1 if it could not start.

    Where the journal cannot be closed the process ends at once, with 1.
    """
    gc.set_threshold(_YOUNG, 20, 100)
    _raise_file_limit()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_served(settings, upstream, ready_file, drill))


async def _served(
    settings: Settings, upstream: tuple[str, str] | None, ready_file: Path | None, drill: int
) -> int:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, asked.set)
    loop.add_signal_handler(signal.SIGINT, asked.set)
    killed = asyncio.Event()  # before there is anything to kill
    loop.add_signal_handler(signal.SIGUSR1, killed.set)
    log = Log(Clock(), settings.log.level, settings.log.format)
    try:
        app = await App.start(_fitting(settings, log), upstream, drill=drill)
    except ConfigError as error:
        for problem in error.problems:
            log.error("policy", problem=str(problem))
        return 1
    except Rejected as error:
        return _unwanted(log, error, settings)
    except (Locked, BadKey, Trouble) as error:
        log.error("cannot start", why=str(error), data_dir=settings.data_dir)
        return 1
    except OSError as error:
        log.failure(
            "cannot start",
            error,
            listen=settings.listen,
            admin=settings.admin,
            data_dir=settings.data_dir,
            do=_to_do(error, settings),
        )
        return 1
    finally:
        log.close()
    loop.add_signal_handler(signal.SIGUSR1, app.kill_all)
    if killed.is_set():
        app.kill_all()
    loop.add_signal_handler(signal.SIGHUP, app.reload_all)
    try:
        _tell_ready(app, ready_file)
    except OSError as error:
        app.log.failure("cannot write the ready file", error, path=str(ready_file))
        await app.stop(drain=0.0)
        return 1
    gc.collect()
    gc.freeze()  # what is here by now stays: it need not be looked at again
    await asked.wait()
    app.log.event("stopping", drain=float(settings.drain))
    if not await app.stop(reason="it was asked to"):
        os._exit(1)  # else threads that wait for the disk would be waited for
    return 0


def _unwanted(log: Log, error: Rejected, settings: Settings) -> int:
    do = "look at the credentials in store, the rights of its user, and store_tls"
    log.error("the store does not want us", why=str(error), store=str(settings.store), do=do)
    return 1


def _to_do(error: OSError, settings: Settings) -> str:
    """About what cannot be had."""
    named = str(error.filename or "")
    inside = Path(settings.data_dir).absolute()
    if named and inside in Path(named).absolute().parents:
        return f"look at {named}: it cannot be used as what it should be"
    return "choose others with --listen, --admin, --data-dir, or end what has them"


def _tell_ready(app: App, ready_file: Path | None) -> None:
    if ready_file is not None:
        written = ready_file.with_name(ready_file.name + ".new")
        written.write_text(json.dumps({"listen": app.listen, "admin": app.admin}) + "\n")
        written.replace(ready_file)  # whoever waits for it never reads half of it
    app.log.event("ready", listen=app.listen, admin=app.admin, policy_version=app.health.version)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not on this platform: asyncio's own loop does the same, slower
        return None
    return uvloop.new_event_loop
