"""`holdfast slo`: service level objectives, and rules and files of other tools for them."""

import click

from proxy.cli.slo_rules import rules


@click.group()
def slo() -> None:
    """Show service level objectives, make rules of them, and take those of other tools over.

    \b
    Examples:
      holdfast slo rules > slos.rules.yaml
    """


slo.add_command(rules)
