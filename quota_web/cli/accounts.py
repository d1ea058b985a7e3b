"""`flask quota accounts …`, on the host."""

import json
import sys
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask.cli import AppGroup

from quota_web.cli.completion import account_names
from quota_web.core.checkout import COMMAND
from quota_web.services import Services, services

if TYPE_CHECKING:
    from quota_web.reports.account_detail import Details, Listed

ACTOR = "command line"


group = AppGroup(
    "accounts",
    help="The accounts and their credentials. Tokens are read from files or standard input, never "
    "from arguments.",
)
_replace = click.option(
    "--replace",
    "replace_own",
    is_flag=True,
    help="Also replace a sign-in that was made here and is renewed.",
)
#: Titles of the list's columns.
HEADER = ("account", "status", "state", "plan", "origin", "e-mail", "token expires", "renewal")


def _world() -> Services:
    """The world after a look at the account folders, so that a file that was just put there
    counts.
    """
    from quota_web.cli import refresh

    present = services()
    present.ready()
    refresh.sync_folders(present)
    return present


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def list_(as_json: bool) -> None:
    """List the accounts, where they come from, and their state."""
    from quota_web.cli import output
    from quota_web.core import clock, names
    from quota_web.reports import account_detail, results_json
    from quota_web.store.accounts import Scope

    present, now = _world(), clock.now()
    settings, renews = present.settings, present.renews
    found = account_detail.listing(Scope(), now, settings.refresh_interval, renews=renews)
    apart = account_detail.told_apart([one.report.account for one in found])
    if as_json:
        click.echo(
            names.visible_json(
                json.dumps(
                    {"accounts": [results_json.listed(one) for one in found]},
                    indent=1,
                    ensure_ascii=False,
                )
            )
        )
    else:
        rows = [_row(one, apart, now, settings.timezone) for one in found]
        click.echo("\n".join(output.columns_of([HEADER, *rows])))
        for one in found:
            if one.looks_like:
                output.print_error(f"{one.report.account.name}: {one.looks_like}")


def _row(one: "Listed", apart: Mapping[int, str], now: int, zone: tzinfo | None) -> tuple[str, ...]:
    from quota_web.cli import output
    from quota_web.core import labels, names, times

    report, account = one.report, one.report.account
    expires_at = one.credentials.expires_at
    return (
        account.name,
        report.status,
        output.state(report, now, zone),
        labels.plan(report.facts.plan if report.facts else None) or "-",
        names.printable(account.source_path or account.origin),
        " ".join(filter(None, (account.email, apart.get(account.id)))) or "-",
        "-" if expires_at is None else times.local(expires_at, zone),
        _renewal(one),
    )


def _renewal(one: "Listed") -> str:
    """Where the credential comes from and how its renewal stands, such as `own, on`."""
    found = one.credentials.renewal
    if found is None or found.kind == "file":
        return "-" if found is None else "file"
    return f"{found.kind}, {'renewing' if found.is_renewing else found.state}"


@group.command("add")
@click.argument("name")
@click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True))
@_replace
def add(name: str, file: Path | None, replace_own: bool) -> None:
    """Add the account NAME from the auth.json FILE, or from standard input."""
    from quota_web.accounts import importing
    from quota_web.core import clock

    raw = importing.read_input(file, sys.stdin.buffer)
    saved = importing.add(_world().cipher, name, raw, clock.now(), ACTOR, replace_own=replace_own)
    click.echo(f"{saved.name}: {saved.outcome}")


@group.command("import")
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@_replace
def import_(paths: tuple[Path, ...], replace_own: bool) -> None:
    """Import every account from files and folders, whatever tool wrote them."""
    from quota_web.accounts import importing
    from quota_web.core import clock

    cipher, now = _world().cipher, clock.now()
    done = list(importing.import_paths(cipher, paths, now, ACTOR, replace_own=replace_own))
    for line in done:
        click.echo(line.text, err=not line.is_good)
    if all(line.is_good and not line.is_account for line in done):
        click.echo("No auth files found.", err=True)
        sys.exit(1)
    sys.exit(0 if all(line.is_good for line in done) else 1)


@group.command("export")
@click.argument("name", shell_complete=account_names)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@click.option(
    "--with-refresh-token",
    is_flag=True,
    help="Hand over the refresh token of a sign-in that was made here, too; what holds FILE renews "
    "it from then on, and nothing is renewed here any more.",
)
def export(name: str, file: Path, force: bool, with_refresh_token: bool) -> None:
    """Write the credentials of NAME to FILE as an auth.json that only you can read."""
    from quota_web.accounts import exporting
    from quota_web.core import clock, names

    is_left_out = exporting.export(
        _world().cipher,
        name,
        file,
        clock.now(),
        ACTOR,
        overwrite=force,
        with_refresh_token=with_refresh_token,
    )
    click.echo(f"{names.printable(str(file))}: written, mode 0600; it holds tokens")
    if is_left_out:
        click.echo(
            "The refresh token stays here, so FILE is of use until its access token ends; "
            "--with-refresh-token hands it over.",
            err=True,
        )
    if with_refresh_token:
        click.echo(
            f"What holds FILE renews {name} from now on: it is not renewed here any more.",
            err=True,
        )


@group.command("sign-in")
@click.argument("name")
@click.option("--paste", is_flag=True, help="By a link whose last address you paste, not a code.")
def sign_in(name: str, paste: bool) -> None:
    """Sign in to ChatGPT for the account NAME, a new one or one that is here.

    Prints an address and a code, and waits until you have signed in, 15 minutes at most.
    """
    from quota_web.cli import chatgpt_sign_in

    sys.exit(chatgpt_sign_in.run(_world(), name, paste))


@group.command("rename")
@click.argument("old", shell_complete=account_names)
@click.argument("new")
def rename(old: str, new: str) -> None:
    """Call the account OLD NEW from now on; its history stays, and the file that it follows is
    renamed.
    """
    from quota_web.accounts import account_service
    from quota_web.core import clock, names

    present = _world()
    saved = account_service.edit(present.cipher, old, new, None, clock.now(), ACTOR)
    path = _details(present, saved.name).credentials.source_path
    click.echo(
        f"{saved.name}: renamed from {old}"
        + (f"; its file is {names.printable(path)} now" if path else "")
    )


@group.command("pause")
@click.argument("name", shell_complete=account_names)
def pause(name: str) -> None:
    """Send nothing for the account NAME until it is resumed; its history and tokens stay."""
    from quota_web.accounts import account_service
    from quota_web.core import clock

    _world()
    click.echo(f"{account_service.pause(name, clock.now(), ACTOR)}: paused")


@group.command("resume")
@click.argument("name", shell_complete=account_names)
def resume(name: str) -> None:
    """Refresh the account NAME again."""
    from quota_web.accounts import account_service
    from quota_web.core import clock

    _world()
    click.echo(f"{account_service.resume(name, clock.now(), ACTOR)}: resumed")


@group.command("renew")
@click.argument("name", shell_complete=account_names)
def renew(name: str) -> None:
    """Renew the sign-in of NAME now, which was made here and lasts about ten days otherwise. Exit
    status: 0 renewed, 1 nothing to renew, 2 not reached, 3 everything else.
    """
    from quota_web.cli import sign_in_renewal

    sys.exit(sign_in_renewal.renew(_world(), name, ACTOR))


@group.command("renewal")
@click.argument("name", shell_complete=account_names)
@click.argument("state", type=click.Choice(["on", "off"]))
def renewal(name: str, state: str) -> None:
    """Let the sign-in of NAME be renewed, or no more. A copy may be renewed only where nothing else
    uses it: neither the Codex CLI nor another program.
    """
    from quota_web.cli import sign_in_renewal

    click.echo(sign_in_renewal.switch(_world(), name, state == "on", ACTOR))


@group.command("remove")
@click.argument("name", shell_complete=account_names)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(name: str, yes: bool) -> None:
    """Remove the account NAME with its credentials and history; asks first on a terminal."""
    from quota_web.accounts import account_service
    from quota_web.core import clock, names
    from quota_web.store.accounts import Shown

    present = _world()
    found = _details(present, name)
    path, name = found.credentials.source_path, found.report.account.name
    history = _history(present, found)
    if not yes and sys.stdin.isatty():
        file = f", its file {names.printable(path)}" if path else ""
        click.echo(f"`{COMMAND} accounts pause` keeps {name} and sends nothing for it.", err=True)
        click.confirm(
            f"Remove {name} with its credentials{file} and {history or 'no readings yet'}?",
            abort=True,
            err=True,
        )
    account_service.remove(name, clock.now(), ACTOR, shown=Shown(id=found.report.account.id))
    click.echo(f"{name}: removed" + (f", with {history}" if history else ""))


def _details(present: Services, name: str) -> "Details":
    from quota_web.core import clock
    from quota_web.reports import account_detail
    from quota_web.store.accounts import Scope

    interval_s = present.settings.refresh_interval
    return account_detail.load_details(Scope(), name, clock.now(), interval_s)


def _history(present: Services, found: "Details") -> str:
    """How much history an account has, in words; nothing where it has none."""
    from quota_web.core import times

    if not found.size.readings:
        return ""
    since = (
        ""
        if found.size.since is None
        else f" since {times.local(found.size.since, present.settings.timezone)}"
    )
    return f"{found.size.readings:,} readings{since}"
