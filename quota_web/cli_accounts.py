"""Door: `flask quota accounts …`, for whoever is on the host."""

import json
import sys
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask.cli import AppGroup

from quota_web.world import World, world

if TYPE_CHECKING:
    from quota_web.details import Details, Listed

ACTOR = "command line"


group = AppGroup(
    "accounts",
    help="The accounts and their credentials. Tokens are read from files or standard input, never from arguments.",
)
#: Titles of the list's columns.
HEADER = ("account", "status", "state", "plan", "origin", "e-mail", "token expires")


def _world() -> World:
    """The world after a look at the account folders, so that a file that was just put there counts."""
    from quota_web import commands

    present = world()
    present.ready()
    commands.follow_folders(present)
    return present


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def list_(as_json: bool) -> None:
    """List the accounts, where they come from, and their state."""
    from quota_web import clock, details, results, terminal
    from quota_web import names as spelling
    from quota_web.store.accounts import Scope

    settings, now = _world().settings, clock.now()
    found = details.listing(Scope(), now, settings.refresh_interval)
    apart = details.told_apart([one.report.account for one in found])
    if as_json:
        click.echo(spelling.visible_json(json.dumps({"accounts": [results.listed(one) for one in found]}, indent=1, ensure_ascii=False)))
    else:
        rows = [_row(one, apart, now, settings.timezone) for one in found]
        click.echo("\n".join(terminal.columns_of([HEADER, *rows])))
        for one in found:
            if one.looks_like:
                terminal.complain(f"{one.report.account.name}: {one.looks_like}")


def _row(one: "Listed", apart: Mapping[int, str], now: int, zone: tzinfo | None) -> tuple[str, ...]:
    from quota_web import labels, terminal, times
    from quota_web import names as spelling

    report, account = one.report, one.report.account
    expires_at = one.credentials.expires_at
    return (
        account.name,
        report.status,
        terminal.state(report, now, zone),
        labels.plan(report.facts.plan if report.facts else None) or "-",
        spelling.visible(account.source_path or account.origin),
        " ".join(filter(None, (account.email, apart.get(account.id)))) or "-",
        "-" if expires_at is None else times.local(expires_at, zone),
    )


@group.command("add")
@click.argument("name")
@click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True))
def add(name: str, file: Path | None) -> None:
    """Add the account NAME from the auth.json FILE, or from standard input."""
    from quota_web import clock, imports

    raw = imports.read_input(file, sys.stdin.buffer)
    saved = imports.add(_world().sealer, name, raw, clock.now(), ACTOR)
    click.echo(f"{saved.name}: {saved.outcome}")


@group.command("import")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
def import_(paths: tuple[Path, ...]) -> None:
    """Import every account from files and folders, whatever tool wrote them."""
    from quota_web import clock, imports

    done = list(imports.import_paths(_world().sealer, paths, clock.now(), ACTOR))
    for line in done:
        click.echo(line.text, err=not line.is_good)
    if all(line.is_good and not line.is_account for line in done):
        click.echo("No auth files found.", err=True)
        sys.exit(1)
    sys.exit(0 if all(line.is_good for line in done) else 1)


@group.command("export")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
def export(name: str, file: Path, force: bool) -> None:
    """Write the credentials of NAME to FILE as an auth.json that only you can read."""
    from quota_web import accounts, clock
    from quota_web import names as spelling

    accounts.export(_world().sealer, name, file, clock.now(), ACTOR, overwrite=force)
    click.echo(f"{spelling.visible(str(file))}: written, mode 0600; it holds tokens")


@group.command("rename")
@click.argument("old")
@click.argument("new")
def rename(old: str, new: str) -> None:
    """Call the account OLD NEW from now on; its history stays, and the file that it follows is renamed."""
    from quota_web import accounts, clock, details
    from quota_web import names as spelling

    present = _world()
    saved = accounts.edit(present.sealer, old, new, None, clock.now(), ACTOR)
    path = _details(present, saved.name, details).credentials.source_path
    click.echo(f"{saved.name}: renamed from {old}" + (f"; its file is {spelling.visible(path)} now" if path else ""))


@group.command("pause")
@click.argument("name")
def pause(name: str) -> None:
    """Send nothing for the account NAME until it is resumed; its history and tokens stay."""
    from quota_web import accounts, clock

    _world()
    click.echo(f"{accounts.pause(name, clock.now(), ACTOR)}: paused")


@group.command("resume")
@click.argument("name")
def resume(name: str) -> None:
    """Refresh the account NAME again."""
    from quota_web import accounts, clock

    _world()
    click.echo(f"{accounts.resume(name, clock.now(), ACTOR)}: resumed")


@group.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(name: str, yes: bool) -> None:
    """Remove the account NAME with its credentials and history; asks first on a terminal."""
    from quota_web import accounts, clock, details
    from quota_web import names as spelling
    from quota_web.store.accounts import Shown

    present = _world()
    found = _details(present, name, details)
    path, name = found.credentials.source_path, found.report.account.name
    history = _history(present, found)
    if not yes and sys.stdin.isatty():
        file = f", its file {spelling.visible(path)}" if path else ""
        click.echo(f"`scripts/quota accounts pause` keeps {name} and sends nothing for it.", err=True)
        click.confirm(f"Remove {name} with its credentials{file} and {history or 'no readings yet'}?", abort=True, err=True)
    accounts.remove(name, clock.now(), ACTOR, shown=Shown(id=found.report.account.id))
    click.echo(f"{name}: removed" + (f", with {history}" if history else ""))


def _details(present: World, name: str, details: Any) -> "Details":
    from quota_web import clock
    from quota_web.store.accounts import Scope

    found: Details = details.details(Scope(), name, clock.now(), present.settings.refresh_interval)
    return found


def _history(present: World, found: "Details") -> str:
    """How much history an account has, in words; nothing where it has none."""
    from quota_web import times

    if not found.size.readings:
        return ""
    since = "" if found.size.since is None else f" since {times.local(found.size.since, present.settings.timezone)}"
    return f"{found.size.readings:,} readings{since}"
