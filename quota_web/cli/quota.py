"""`flask quota …`.

A command reads its options, calls one act, prints, and sets the exit status.
"""

import sys
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

import click
from flask import Flask
from flask.cli import AppGroup, ScriptInfo

from quota_web.cli import accounts, alerts, auth, demo, event_log, maintenance
from quota_web.cli.completion import account_names
from quota_web.core.errors import BadDatabase, BadInput, BadSetting, QuotaError
from quota_web.core.language import use_language
from quota_web.services import services

if TYPE_CHECKING:
    from quota_web.reports.overview import Overview

ACTOR = "command line"
#: In which forms `status` prints.
FORMATS_OF_BARS = ("waybar", "tmux", "starship")
FORMATS = ("table", "oneline", "json", *FORMATS_OF_BARS)


class QuotaGroup(AppGroup):
    """Turns our own errors into one line and the exit status of the contract."""

    def invoke(self, ctx: click.Context) -> Any:
        from quota_web.cli import output

        output.escape_unprintable()
        try:
            with use_language(ctx.ensure_object(ScriptInfo).load_app().config["SETTINGS"].language):
                return super().invoke(ctx)
        except (BadSetting, BadDatabase) as error:
            output.print_error(str(error))
            ctx.exit(4)
        except QuotaError as error:
            output.print_error(str(error))
            ctx.exit(1)


quota = QuotaGroup(
    "quota", help="Codex quota of your accounts: refresh it, look at it, manage the accounts."
)


def init_app(app: Flask) -> None:
    app.cli.add_command(quota)
    quota.add_command(accounts.group)
    quota.add_command(alerts.group)
    auth.add_to(quota)
    quota.add_command(demo.command)
    maintenance.add_to(quota)
    event_log.add_to(quota)
    app.cli.add_command(LazyDatabaseGroup("db", help="Migrations (Flask-Migrate)."))


class LazyDatabaseGroup(click.Command):
    """`flask db …`; Flask-Migrate and Alembic are loaded only when it is used."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        from flask import current_app
        from flask_migrate import Migrate
        from flask_migrate.cli import db as group

        from quota_web import store
        from quota_web.core.checkout import MIGRATIONS

        Migrate(current_app, store.database.extension(), directory=str(MIGRATIONS))
        ours = QuotaGroup(
            group.name,
            commands=group.commands,
            params=group.params,
            callback=group.callback,
            help=group.help,
        )
        return ours.make_context(info_name, args, parent, **extra)


@quota.command()
@click.argument("names", metavar="[ACCOUNT]...", nargs=-1, shell_complete=account_names)
@click.option(
    "--force",
    is_flag=True,
    help="Ask for exhausted accounts too, and for those that were told to wait.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the /api/results document instead of the table."
)
def refresh(names: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Refresh all accounts, or those named, and print what is left."""
    from quota_web.cli.refresh import RefreshOptions, run_refresh

    present = services()
    options = RefreshOptions(present.scope, names, force, as_json, since=present.began_at)
    sys.exit(run_refresh(present, options))


@quota.command()
@click.argument("names", metavar="[ACCOUNT]...", nargs=-1, shell_complete=account_names)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@click.option("--oneline", "form", flag_value="oneline", help="The same as --format oneline.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="A table, one line for a shell prompt or a status bar, or the /api/results document.",
)
@click.option(
    "--max",
    "most",
    metavar="N",
    type=click.IntRange(1),
    help="At most N accounts, the usable ones first.",
)
def status(names: tuple[str, ...], form: str, most: int | None) -> None:
    """Show what is known, from the database; nothing is sent."""
    from quota_web.cli import output, status_bars
    from quota_web.core import clock
    from quota_web.reports import overview

    present = services()
    present.ready()
    seen = overview.load_overview(present.scope, clock.now(), present.settings.refresh_interval)
    chosen, missing = overview.pick(seen.accounts, names)
    if form in FORMATS_OF_BARS:
        print(status_bars.bar(form, chosen, most, clock.now(), present.settings.timezone))
    else:
        _print_status(seen.only(chosen[:most]), form, present.settings.timezone, bool(missing))
    for error in missing:
        output.print_error(str(error))
    sys.exit(output.UNUSABLE if missing else output.OK)


def _print_status(seen: "Overview", form: str, zone: tzinfo | None, is_missing: bool) -> None:
    """Print the accounts on standard output and their faults on standard error; *is_missing*:
    whether a name that nothing has is yet to be printed.
    """
    from quota_web.cli import output
    from quota_web.core import clock, faults
    from quota_web.reports import results_json

    now = clock.now()
    if form == "json":
        print(results_json.text(seen))
    elif form == "oneline":
        print(output.oneline(seen.accounts, now, zone))
    elif seen.accounts:
        print("\n".join(output.status_table(seen.accounts, now, zone)))
    elif not is_missing:
        output.print_error("No auth files found.")
    for view in seen.accounts:
        if view.fault is not None:
            output.print_error(faults.line(view.account.name, view.fault, zone))


@quota.command()
@click.argument("names", metavar="[ACCOUNT]...", nargs=-1, shell_complete=account_names)
@click.option("--json", "as_json", is_flag=True, help="Print the /api/forecast document.")
def forecast(names: tuple[str, ...], as_json: bool) -> None:
    """Show whether each window will last until its reset; nothing is sent."""
    from quota_web.cli import foresight

    sys.exit(foresight.forecast(services(), names, as_json))


@quota.command("next")
@click.option("--json", "as_json", is_flag=True, help="Print the /api/next document.")
def next_account(as_json: bool) -> None:
    """Name the account to use now, and why: `next | cut -f1` is the name alone.

    Exit status 75: none can be used now.
    """
    from quota_web.cli import foresight

    sys.exit(foresight.next_account(services(), as_json))


@quota.command()
@click.argument("name", metavar="[ACCOUNT]", required=False, shell_complete=account_names)
@click.option(
    "--min",
    "least",
    metavar="WINDOW=PERCENT,…",
    default="",
    help="How much of each window must be left, such as 5h=10,weekly=5; 5 of those not named.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was looked at as JSON.")
def guard(name: str | None, least: str, as_json: bool) -> None:
    """Say whether work may go on with ACCOUNT, or with the one that `next` names.

    Exit status 0: go on. Anything else means stop: 10 too little left, 11 blocked or paused,
    12 unknown or stale, 1 unknown account.
    """
    from quota_web.cli import foresight
    from quota_web.reports.quota_gate import parse_least

    try:
        wanted = parse_least(least)
    except BadInput as error:
        raise click.BadParameter(str(error), param_hint="--min") from None
    sys.exit(foresight.guard_account(services(), name, wanted, as_json))
