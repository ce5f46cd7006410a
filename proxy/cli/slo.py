"""`holdfast slo`: service level objectives."""

import click

from proxy.cli.reaching import to_look
from proxy.cli.slo_import import imported
from proxy.cli.slo_rules import rules
from proxy.cli.slo_shown import shown


@click.group(invoke_without_command=True)
@to_look
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def slo(context: click.Context, admin: str | None, as_json: bool) -> int:
    """Show service level objectives of a running proxy: what is left of their error budgets.

    \b
    Examples:
      holdfast slo
      holdfast slo rules > slos.rules.yaml          for Prometheus
      holdfast slo import sloth.yml > policies/60-slos.yaml
      holdfast slo --json | jq '.items[] | select(.state == "exhausted") | .slo'
    Exit codes: 0 shown, 1 no proxy answers, 2 cannot read the settings, 64 wrong usage.
    """
    return 0 if context.invoked_subcommand else shown(admin, as_json)


for _command in (rules, imported):
    slo.add_command(_command)
