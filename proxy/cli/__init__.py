"""The command `holdfast`. Each file is a family of sub-commands.

What a sub-command needs is imported when it runs, so that `holdfast --help` and shell completion
are quick. Errors go to standard error, one line each, and say what to do. Exit codes: 0 done, 1 it
failed or found errors, 2 there was nothing to read, 64 the command was not used as it is meant to
be (sysexits.h), 130 interrupted.
"""

import io
import os
import sys
from collections.abc import Sequence

import click

from proxy import __version__
from proxy.cli.alerts import alerts
from proxy.cli.approvals import approvals
from proxy.cli.audit import audit
from proxy.cli.budget import budget
from proxy.cli.check import check
from proxy.cli.demo import demo
from proxy.cli.explain import explain
from proxy.cli.kill import kill, revive
from proxy.cli.prices import prices
from proxy.cli.probe import probe
from proxy.cli.problems import USAGE
from proxy.cli.quickstart import quickstart
from proxy.cli.run import run
from proxy.cli.sandbox import sandbox
from proxy.cli.schema import schema
from proxy.cli.slo import slo
from proxy.cli.status import breakers, status
from proxy.cli.test import test
from proxy.cli.token import token
from proxy.cli.top import top
from proxy.config.places import visible


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="holdfast")
def holdfast() -> None:
    """Holds AI agents fast: a transparent proxy with retries, breakers and deadlines.

    \b
    Try it without any file:
      holdfast sandbox &
      holdfast run --upstream http://127.0.0.1:8790 --protocol tools
    """


_COMMANDS: tuple[click.Command, ...] = (
    run, check, test, explain, status, top, breakers, budget, slo, prices, kill, revive,
    approvals, alerts, audit, token, schema, probe, sandbox, demo, quickstart,
)  # fmt: skip
for _command in _COMMANDS:
    holdfast.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an odd terminal shows \\u2192, no traceback
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_code(arguments))


def _open_what_is_closed() -> None:
    """Standard streams that are closed (`>&-`) lead nowhere. Else the next file that is opened has
    their number, and gets what is meant for them: a segment of the journal, say."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _code(arguments: Sequence[str] | None) -> int:
    try:
        code = holdfast.main(arguments, prog_name="holdfast", standalone_mode=False)
        sys.stdout.flush()  # what cannot be written is an error here, and not after the end
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return USAGE
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "holdfast"
        said = " ".join(error.format_message().split())  # click lists choices on lines of their own
        _say(f"{said} (see {where} --help)")
        return USAGE
    except click.ClickException as error:
        _say(error.format_message())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except OSError as error:
        return _unwritten(error)
    return code if isinstance(code, int) else 0


def _unwritten(error: OSError) -> int:
    """Standard output is full or gone: what is still to be written to it goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):  # else: who read it has seen enough
        _say(f"cannot go on: {error.strerror or error}")
    return 1


def _say(message: str) -> None:
    print(f"holdfast: {visible(message)}", file=sys.stderr)
