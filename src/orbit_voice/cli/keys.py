"""``orbit-voice keys``: makes, lists and deletes API keys in the database itself."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from orbit_voice.cli.on_store import run_on_store
from orbit_voice.cli.problems import problems_are_told
from orbit_voice.kit.clock import iso_utc, utc_now
from orbit_voice.server.settings import Settings
from orbit_voice.store.api_keys import ALL_SCOPES, ApiKey, Mode, Scope
from orbit_voice.store.store import Store

app = typer.Typer(help="API keys.", no_args_is_help=True)
_out = Console(highlight=False, soft_wrap=True)
_PAGE = 100


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What you call it.")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="May be given again; all when left out.")
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="Calls of it reach no carrier.")] = False,
) -> None:
    """Make a key and print it, once."""
    mode = Mode.TEST if test else Mode.LIVE
    scopes = frozenset(scope or ALL_SCOPES)

    async def work(store: Store, org_id: str) -> str:
        _, text = await store.api_keys.create_key(
            org_id, name, mode=mode, scopes=scopes, now=utc_now()
        )
        return text

    with problems_are_told():
        _out.print(run_on_store(Settings(), work))


@app.command("list")
def list_() -> None:
    """Show every key: never its text, of which only a hash is kept."""
    with problems_are_told():
        keys = run_on_store(Settings(), _all_keys)
    table = Table("id", "name", "begins with", "mode", "scopes", "made", box=None)
    for column in table.columns:
        column.no_wrap = True
    for key in keys:
        scopes = " ".join(sorted(scope.value for scope in key.scopes))
        made = iso_utc(key.created_at)
        table.add_row(key.id, key.name, key.prefix, key.mode.value, scopes, made)
    _out.print(table)


@app.command()
def delete(key_id: Annotated[str, typer.Argument(help="key_…, as listed.")]) -> None:
    """Delete a key. A running server notices within seconds."""

    async def work(store: Store, org_id: str) -> bool:
        return await store.api_keys.delete_key(org_id, key_id)

    with problems_are_told():
        if not run_on_store(Settings(), work):
            raise ValueError(f"there is no key {key_id}; see: orbit-voice keys list")
        _out.print(f"{key_id} is deleted.")


async def _all_keys(store: Store, org_id: str) -> list[ApiKey]:
    found: list[ApiKey] = []
    cursor: str | None = None
    while True:
        page = await store.api_keys.list_keys(org_id, cursor=cursor, limit=_PAGE)
        found += page.rows
        if (cursor := page.cursor) is None:
            return found
