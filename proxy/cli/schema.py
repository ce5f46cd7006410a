"""`holdfast schema`: JSON Schemas for editors."""

import click


@click.command()
@click.argument("kind", type=click.Choice(["settings", "policies", "tokens"]), default="policies")
def schema(kind: str) -> int:
    """Print the JSON Schema of settings, tokens or policies (the default).

    \b
    Example:
      holdfast schema settings > settings.schema.json
    Exit codes: 0 shown, 64 wrong usage.
    """
    from proxy.config.schema import schema as made

    print(made(kind), end="")
    return 0
