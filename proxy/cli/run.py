"""`holdfast run`: the proxy itself."""

import signal
from pathlib import Path

import click

from proxy.cli.problems import loading

_ALONE = (
    "--drill-speed needs store: memory. Pods that share a store go by its clock, and that runs as "
    "it always does"
)


@click.command()
@click.option(
    "--config", type=click.Path(), help="Settings; else HOLDFAST_CONFIG, ./holdfast.yaml."
)
@click.option("--policies", metavar="DIR", help="Folder of policy files.")
@click.option("--listen", metavar="ADDRESS", help="For agents: host:port, port 0, or unix:/path.")
@click.option("--admin", metavar="ADDRESS", help="For health and metrics.")
@click.option("--data-dir", metavar="DIR", help="What is kept; created 0700.")
@click.option("--upstream", metavar="URL", help="Adds, or replaces, the upstream at /.")
@click.option(
    "--protocol",
    metavar="NAME",
    help="Of --upstream: auto, tools, mcp, openai, anthropic, a2a or http.",
)
@click.option("--agent-id", metavar="ID", help="Who calls.")
@click.option("--store", metavar="URL", help="What pods share: memory, or a Redis.")
@click.option("--tokens", metavar="FILE", help="Who may use the admin side.")
@click.option("--drain", metavar="DURATION", help="How long calls may finish after SIGTERM.")
@click.option(
    "--drill-speed",
    metavar="N",
    type=click.IntRange(1, 3600),
    default=1,
    help="For rehearsals: windows pass N times faster.",
)
@click.option("--ready-file", type=click.Path(path_type=Path), help="Gets both addresses as JSON.")
def run(
    config: str | None,
    upstream: str | None,
    protocol: str | None,
    ready_file: Path | None,
    drill_speed: int,
    **flags: str | None,
) -> int:
    """Serve agents until SIGTERM or SIGINT.

    \b
    Examples:
      holdfast run                                  with ./holdfast.yaml and ./policies
      holdfast run --upstream http://127.0.0.1:8790 --protocol tools
      holdfast run --drill-speed 3600               an hour of a window passes in a second
      holdfast run --policies policies --listen 127.0.0.1:0 --ready-file /tmp/ready.json
    Exit codes: 0 stopped as asked, 1 could not start or not close the journal, 2 nothing to read,
    64 wrong usage.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # who asks for a reload now gets the first load
    from proxy.cli.serving import serve
    from proxy.config.load import load_policies
    from proxy.config.settings import load_settings
    from proxy.config.store_url import MEMORY

    if protocol is not None and upstream is None:
        raise click.UsageError("--protocol goes with --upstream")
    if ready_file is not None and not ready_file.name:
        raise click.UsageError("--ready-file must name a file")
    flags["agent.id"] = flags.pop("agent_id")
    mounted = None if upstream is None else (upstream, protocol or "auto")
    with loading():
        settings = load_settings(config, flags=flags)
        load_policies(upstream=mounted)  # a flag that is wrong is told apart from a file
    if drill_speed > 1 and settings.store != MEMORY:
        raise click.UsageError(_ALONE)
    return serve(settings, mounted, ready_file, drill_speed)
