"""`holdfast slo`: service level objectives, and rules and files of other tools for them."""

import click

from proxy.cli.slo_import import imported
from proxy.cli.slo_rules import rules


@click.group()
def slo() -> None:
    """Show service level objectives, make rules of them, and take those of other tools over.

    \b
    Examples:
      holdfast slo rules > slos.rules.yaml
      holdfast slo import sloth.yml > policies/60-slos.yaml
    """


for _command in (rules, imported):
    slo.add_command(_command)
