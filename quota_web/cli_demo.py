"""Door: `flask quota demo`, invented accounts for whoever wants to look before trusting the app with a token."""

import click

from quota_web.world import world

MOST_ACCOUNTS, MOST_DAYS = 200, 730


@click.command("demo")
@click.option("--accounts", default=12, show_default=True, type=click.IntRange(1, MOST_ACCOUNTS), help="How many accounts to invent.")
@click.option("--days", default=90, show_default=True, type=click.IntRange(1, MOST_DAYS), help="How many days of history each has.")
@click.option("--remove", is_flag=True, help="Take the demo data away again.")
def command(accounts: int, days: int, remove: bool) -> None:
    """Fill an empty database with invented accounts and their history. Nothing is ever sent for them."""
    from quota_web import clock, demo, terminal
    from quota_web.times import utc_offset

    present, now = world(), clock.now()
    present.ready()
    if remove:
        with terminal.progress(demo.count(), "removing") as told:
            demo.remove(now, told)
        click.echo("The demo data is gone.")
        return
    with terminal.progress(accounts, "inventing") as told:
        readings = demo.fill(accounts, days, now, utc_offset_s=utc_offset(now, present.settings.timezone), told=told)
    what = "1 account" if accounts == 1 else f"{accounts} accounts"
    click.echo(f"Invented {what} with {readings:,} readings over {days} days. To take them away: scripts/quota demo --remove")
