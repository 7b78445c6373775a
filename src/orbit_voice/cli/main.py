"""The ``orbit-voice`` command."""

from __future__ import annotations

import asyncio
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from orbit_voice import __version__
from orbit_voice.cli import keys
from orbit_voice.cli.on_store import run_on_store
from orbit_voice.cli.problems import problems_are_told
from orbit_voice.kit.logs import configure_logging
from orbit_voice.server.maintenance import bring_up_to_date
from orbit_voice.server.node import Node
from orbit_voice.server.settings import Settings
from orbit_voice.store.store import Store

app = typer.Typer(
    help="Self-hosted programmable voice: one REST API over real SIP and RTP.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(keys.app, name="keys")
_out = Console(highlight=False, soft_wrap=True)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """Read settings from orbit-voice.toml and ORBIT_… variables."""
    if version:
        _out.print(f"orbit-voice {__version__}")
        raise typer.Exit


@app.command()
def serve(
    data_dir: Annotated[
        Path | None, typer.Option(help="Database, recordings and keys; wins over ORBIT_DATA_DIR.")
    ] = None,
) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    with problems_are_told():
        settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
        configure_logging(settings.log_level)
        uvloop = import_module("uvloop")
        run_server = import_module("orbit_voice.server.serve").serve
        uvloop.run(run_server(settings, announce=_announce))


@app.command()
def migrate() -> None:
    """Bring the database to the form this version needs. ``serve`` does it by itself."""
    with problems_are_told():
        asyncio.run(bring_up_to_date(Settings()))
        _out.print("The database is up to date.")


@app.command("webhook-secret")
def webhook_secret() -> None:
    """Print what webhooks are signed with."""

    async def work(store: Store, org_id: str) -> str:
        organization = await store.organizations.get_organization(org_id)
        return "" if organization is None else organization.signing_secret

    with problems_are_told():
        _out.print(run_on_store(Settings(), work))


def _announce(node: Node, base_url: str) -> None:
    """Tell an operator where everything is; on the first start, the key that opens it."""
    _out.print(f"REST API   {base_url}/v1  (reference: {base_url}/docs)")
    _out.print(f"SIP        {node.inbound_address}, UDP and TCP")
    if (new_key := node.first_start.new_key) is not None:
        _out.print(f"API key    {new_key}")
        _out.print("           It is shown this once. More: orbit-voice keys create NAME")
        _out.print("Webhooks   are signed; the secret: orbit-voice webhook-secret")


if __name__ == "__main__":
    app()
