"""The token that a command shows to the proxy that it asks."""

import click
from click.core import ParameterSource

_TOKEN, _GIVEN = f"{__name__}.token", f"{__name__}.given"
_SOCKET = "/admin.sock"


def _remember(context: click.Context, _: click.Parameter, token: str | None) -> None:
    context.meta[_TOKEN] = token
    context.meta[_GIVEN] = context.get_parameter_source("token") is ParameterSource.COMMANDLINE


with_token = click.option(
    "--token",
    metavar="TOKEN",
    envvar="HOLDFAST_TOKEN",
    show_envvar=True,
    expose_value=False,
    callback=_remember,
    help="Who asks, where the proxy has tokens.",
)
"""For every command that asks a proxy: `ask` and `tell` send it."""


def headers(admin: str) -> dict[str, str]:
    """The token of the environment may be another proxy's: where none is needed it stays away."""
    context = click.get_current_context(silent=True)
    meta = {} if context is None else context.meta
    token = meta.get(_TOKEN)
    if not token or (not meta[_GIVEN] and admin.endswith(_SOCKET)):
        return {}
    if not (token.isascii() and token.isprintable()):
        raise click.UsageError("--token must be printable ASCII")
    return {"Authorization": f"Bearer {token}"}
