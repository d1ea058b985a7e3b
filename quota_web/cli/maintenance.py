"""The commands that look after the database: backup, restore, prune, rotate-key, doctor,
copy-to.
"""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quota_web.cli.output import BAD_SETTING, columns_of
from quota_web.cli.progress import ProgressBar
from quota_web.core import clock, names, times
from quota_web.core.checkout import COMMAND
from quota_web.core.errors import BadInput
from quota_web.services import Services, services

if TYPE_CHECKING:
    from quota_web.maintenance.findings import Finding
    from quota_web.maintenance.restore import Restored

ACTOR = "command line"


def add_to(group: click.Group) -> None:
    """Add the commands of this module."""
    for command in (backup, restore, prune, rotate_key, doctor, copy_to):
        group.add_command(command)


def _ready() -> Services:
    present = services()
    present.ready()
    return present


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE where it is there already.")
def backup(file: Path, force: bool) -> None:
    """Write the database to FILE, also while the service runs. The key is not in it."""
    from quota_web.maintenance import backup
    from quota_web.maintenance.findings import mib

    present = _ready()
    content = backup.backup(file.absolute(), overwrite=force)
    rows = content.rows
    click.echo(
        f"{file}: {mib(content.size)}, {rows['account']:,} accounts, {rows['reading']:,} "
        f"readings, looked through and good"
    )
    key = (
        present.settings.instance_dir / "secret.key"
        if present.cipher.is_from_file
        else "QUOTA_SECRET_KEY"
    )
    click.echo(
        f"The tokens in it are sealed, and their key is not in it: keep {key} too, in another "
        f"place.",
        err=True,
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--without-tokens", is_flag=True, help="Restore what there is where no key opens the tokens."
)
def restore(file: Path, yes: bool, without_tokens: bool) -> None:
    """Put the backup FILE in the database's place; stop the service first.

    What is there now is kept beside it.
    """
    from quota_web.maintenance import restore

    if not yes and sys.stdin.isatty():
        click.confirm("Put the backup in the place of the present database?", abort=True)
    done = restore.restore(
        file.absolute(),
        services().cipher,
        services().settings.account_dir,
        clock.now(),
        ACTOR,
        without_tokens=without_tokens,
    )
    rows = done.content.rows
    older = f" (brought up from version {done.migrated_from})" if done.migrated_from else ""
    click.echo(
        f"{file}: in place{older}: {rows['account']:,} accounts, {rows['reading']:,} readings"
    )
    if done.resealed:
        click.echo(f"The tokens of {done.resealed} account(s) are sealed with the present key now.")
    if done.aside is not None:
        click.echo(f"The database from before is {done.aside}; delete it when you are sure.")
    for line in _consequences(done):
        click.echo(line, err=True)


def _consequences(done: "Restored") -> Iterator[str]:
    """What a person should know, or do, after a restore."""
    for name in done.without_tokens:
        yield f"{name}: no key opens its tokens; save the account again"
    for name in done.no_longer_followed:
        yield f"{name}: followed a file in no folder of this installation; it follows none now"
    if done.kept:
        listed = ", ".join(names.printable(name) for name in done.kept)
        yield f"Kept from the database before, since they are as new or newer: tokens of {listed}."
    for name in done.not_renewed:
        yield (
            f"{name}: its sign-in is not renewed any more, since a newer copy of its refresh token "
            f"may be in use; sign in again, or, if this backup is the newest copy, "
            f"`{COMMAND} accounts renewal {name} on`"
        )
    yield "All sessions have ended. The password is that of the backup."
    if done.api_tokens:
        listed = ", ".join(names.printable(name) for name in done.api_tokens)
        yield (
            f"API tokens of the backup are good again: {listed}. Revoke those that you do not know."
        )
    if done.channels:
        listed = ", ".join(names.printable(name) for name in done.channels)
        yield f"Alerts are sent again to: {listed}. Delete on the Alerts page what you do not know."
    for name in done.lost_channels:
        yield f"alert channel {names.printable(name)}: no key opens its address; enter it again"
    if done.share_links:
        yield (
            f"Share links of the backup are good again: {done.share_links}. "
            "Revoke on the Settings page those that you do not know."
        )


@click.command()
@click.option(
    "--before",
    "date",
    required=True,
    metavar="DATE",
    help="A day such as 2026-08-01, in UTC; what is from that day on stays.",
)
def prune(date: str) -> None:
    """Delete raw readings and attempts from before DATE.

    Hourly and daily figures stay, so long charts look the same.
    """
    from quota_web.maintenance import prune

    try:
        before = times.parse(date)
    except (ValueError, OverflowError):
        raise BadInput("before", f"{date}: give a day such as 2026-08-01") from None
    if before > clock.now():
        raise BadInput("before", f"{date}: is still to come")
    _ready()
    done = prune.prune(before, clock.now(), ACTOR)
    click.echo(
        f"Deleted {done.readings:,} readings and {done.attempts:,} entries of attempts from "
        f"before {times.iso_text(done.before)}."
    )
    if done.readings:
        click.echo("The file keeps its size; what became free in it is used again.", err=True)


@click.command("rotate-key")
def rotate_key() -> None:
    """Seal all tokens with a new key, also while the service runs.

    Interrupted, the same command goes on.
    """
    from quota_web.maintenance import rotate_key

    present = _ready()
    done = rotate_key.rotate(present.cipher, clock.now(), ACTOR)
    click.echo(
        f"{'A new key' if done.is_new else 'The present key'} seals the tokens now: "
        f"{done.resealed} account(s) sealed anew."
    )
    for name in done.unreadable:
        click.echo(f"{name}: no key opens its tokens; save the account again", err=True)
    for name in done.unreadable_channels:
        click.echo(f"alert channel {name}: no key opens its address; enter it again", err=True)
    if not done.is_from_file:
        click.echo(
            "Take QUOTA_SECRET_KEY_OLD away now; older backups need that key, or a secret.key "
            "from before: keep it as long as you keep those.",
            err=True,
        )
    elif done.old_keys is not None:
        click.echo(f"The old key is kept as {done.old_keys}:", err=True)
        click.echo(
            "older backups need it, and a restore finds it there. Delete it with them.", err=True
        )
    click.echo(
        "Restart the service, so that it signs cookies with the new key; everybody signs in again "
        "then.",
        err=True,
    )


@click.command()
@click.option(
    "--rebuild",
    "anew",
    is_flag=True,
    help="Make hourly and daily figures and latest values anew from the raw readings first.",
)
def doctor(anew: bool) -> None:
    """Look at everything the app stands on and say what to do.

    Exit status 4 if something is bad.
    """
    from quota_web.maintenance import doctor, rebuild
    from quota_web.maintenance.findings import Level

    present = services()
    if anew:
        _ready()
        with ProgressBar("windows") as bar:
            done = rebuild.rebuild(clock.now(), ACTOR, partial(bar.set, "windows"))
        click.echo(
            f"Rebuilt {done.windows} windows from {done.readings:,} readings; latest values of "
            f"{done.corrected} were wrong."
        )
    context = doctor.DoctorContext(
        present.settings, present.cipher, lambda: present.client, clock.now()
    )
    worst = False
    for finding in doctor.diagnose(context):
        worst |= finding.verdict is Level.BAD
        click.echo(_line(finding))
    sys.exit(BAD_SETTING if worst else 0)


def _line(finding: "Finding") -> str:
    (line,) = columns_of([(f"{finding.verdict:<5}{finding.what:<17}{finding.text}",)])
    return f"{line}\n     → {finding.advice}" if finding.advice else line


@click.command("copy-to")
@click.argument("url")
def copy_to(url: str) -> None:
    """Copy the whole history to the empty database at URL, such as postgresql://USER@HOST/NAME, and
    compare both sides.

    Stop the service first: what it stores after the copy began would be left behind. A password is
    better kept in ~/.pgpass than in URL.
    """
    from quota_web.maintenance import transfer

    with transfer.alone(_ready().presence) as others, ProgressBar("copying") as bar:
        if others:
            click.echo(
                f"{others} other connection(s) to this database: if a service is one of them, "
                f"what it stores from now on is left behind.",
                err=True,
            )
        sums = transfer.copy_to(url, bar.set)
    click.echo(
        "\n".join(
            columns_of(
                [
                    ("table", "rows", "checksum"),
                    *((name, f"{s.rows:,}", f"{s.checksum:016x}") for name, s in sums.items()),
                ]
            )
        )
    )
    click.echo("Everything arrived: counts and checksums are the same on both sides.")
    click.echo(
        "Set QUOTA_DATABASE_URL to it. The key stays where it is; a second machine needs the same "
        "one as QUOTA_SECRET_KEY.",
        err=True,
    )
