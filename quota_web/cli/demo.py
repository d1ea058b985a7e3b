"""`flask quota demo`, invented accounts to look at before one trusts the app
with a token.
"""

import click

from quota_web.core.checkout import COMMAND
from quota_web.services import services

MOST_ACCOUNTS, MOST_DAYS = 200, 730


@click.command("demo")
@click.option(
    "--accounts",
    default=12,
    show_default=True,
    type=click.IntRange(1, MOST_ACCOUNTS),
    help="How many accounts to invent.",
)
@click.option(
    "--days",
    default=90,
    show_default=True,
    type=click.IntRange(1, MOST_DAYS),
    help="How many days of history each has.",
)
@click.option("--remove", is_flag=True, help="Take the demo data away again.")
def command(accounts: int, days: int, remove: bool) -> None:
    """Fill an empty database with invented accounts and their history.

    Nothing is ever sent for them.
    """
    from quota_web.cli.progress import ProgressBar
    from quota_web.core import clock
    from quota_web.core.times import utc_offset
    from quota_web.demo import fill
    from quota_web.refresh import hooks

    present, now = services(), clock.now()
    present.ready()
    if remove:
        with ProgressBar("removing", fill.count()) as progress:
            fill.remove(now, progress.count)
        click.echo("The demo data is gone.")
        return
    with ProgressBar("inventing", accounts) as progress:
        readings = fill.fill(
            accounts,
            days,
            now,
            utc_offset_s=utc_offset(now, present.settings.timezone),
            told=progress.count,
        )
    hooks.hooks().finished()
    what = "1 account" if accounts == 1 else f"{accounts} accounts"
    click.echo(
        f"Invented {what} with {readings:,} readings over {days} days. To take them away: "
        f"{COMMAND} demo --remove"
    )
