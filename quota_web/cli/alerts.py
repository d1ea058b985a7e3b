"""`flask quota alerts …`, on the host."""

import sys
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask.cli import AppGroup, with_appcontext

from quota_web.core import clock
from quota_web.services import Services, services

if TYPE_CHECKING:
    from quota_web.alerts.delivery_plan import Saying
    from quota_web.alerts.report import AlertsReport
    from quota_web.alerts.send_result import SendResult

ACTOR = "command line"
#: Exit statuses of `test`: the address may not be reached, it was not, it answered otherwise.
FORBIDDEN, NOT_REACHED, REFUSED = 1, 2, 3
#: Passes of `send`, so that a receiver that keeps it busy does not keep it for ever.
MOST_PASSES = 1_000


@click.group("alerts", cls=AppGroup, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
@with_appcontext
def group(context: click.Context, as_json: bool) -> None:
    """Show what is open, the channels and the last messages.

    Addresses are read from files or standard input, never from arguments.
    """
    if context.invoked_subcommand is not None:
        return
    from quota_web.alerts import report

    present = _ready()
    seen = report.load(present.cipher, present.settings.timezone)
    if as_json:
        import json

        from quota_web.core import names

        text = json.dumps(report.document(seen), indent=1, ensure_ascii=False)
        click.echo(names.visible_json(text))
    else:
        _print(seen, present.settings.timezone)


def _print(seen: "AlertsReport", zone: tzinfo | None) -> None:
    from quota_web.cli import output
    from quota_web.core import times

    def local(at: int | None) -> str:
        return "-" if at is None else times.local(at, zone)

    opened = [("open", "account", "window", "since")]
    opened += [(o.kind, o.account or "all", o.window or "-", local(o.since)) for o in seen.open]
    channels = [("channel", "place", "state", "last message", "error")]
    for one in seen.channels:
        state = "off" if not one.channel.is_on else "failing" if one.channel.failing_since else "on"
        place, error = one.place or "no key opens it", one.channel.last_error or "-"
        channels.append((one.channel.name, place, state, local(one.last_sent_at), error))
    messages = [("at", "channel", "state", "message")]
    for told in seen.deliveries:
        row = told.row
        messages.append((local(row.event.at), row.channel, row.state, told.text))
    tables = [rows for rows in (opened, channels, messages) if len(rows) > 1]
    if not seen.channels:
        click.echo("No channel yet: `alerts add NAME`, or the Alerts page.", err=True)
    click.echo("\n\n".join("\n".join(output.columns_of(rows)) for rows in tables))


@group.command()
@click.argument("name")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--webhook", is_flag=True, help="The address is that of a webhook; print its secret.")
@click.option("--kinds", metavar="KIND,…", help="Only alerts of these types.")
@click.option("--accounts", default="", metavar="NAME,…", help="Only of these accounts.")
@click.option("--below", default="", metavar="20,5", help="Percents left that are told.")
@click.option("--quiet", default="", metavar="22:00-07:00", help="Hours in which nothing is sent.")
@click.option("--digest", default="", metavar="daily 08:00", help="Send the state of all accounts.")
@click.option("--language", default="", metavar="zh", help="The language of its messages.")
def add(name: str, file: Path | None, webhook: bool, **given: Any) -> None:
    """Add the channel NAME: its address is the first line of FILE, or of standard input.

    An address as Apprise writes it, such as ntfys://ntfy.sh/TOPIC; with --webhook an https one.
    """
    from quota_web.alerts import channel_form, channel_service
    from quota_web.alerts.channel_form import RulesInput
    from quota_web.alerts.channel_service import ChannelDraft
    from quota_web.alerts.senders import Senders
    from quota_web.store.channels import APPRISE, WEBHOOK

    present = _ready()
    kinds, accounts = given.pop("kinds"), _listed(given.pop("accounts"))
    said = RulesInput(name, None if kinds is None else _listed(kinds), accounts, **given)
    rules = channel_form.parse_rules(said, present.scope)
    draft = ChannelDraft(rules, WEBHOOK if webhook else APPRISE, _address(file))
    senders = Senders(present.settings)
    try:
        _, secret = channel_service.create(present.cipher, senders, draft, clock.now(), ACTOR)
    finally:
        senders.close()
    if secret is not None:
        click.echo(secret.reveal())
        click.echo("The secret that signs its requests; it is shown this once.", err=True)
    click.echo(f"{rules.name}: added; try it with `alerts test {rules.name}`", err=True)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _address(file: Path | None) -> Any:
    from quota_web.core.errors import BadInput
    from quota_web.core.secret import Secret

    try:
        text = sys.stdin.readline(10_000) if file is None else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BadInput("file", f"{file}: cannot be read: {why}") from None
    line = next(iter(text.splitlines()), "").strip()
    return Secret(line) if line else None


@group.command()
@click.argument("name")
def test(name: str) -> None:
    """Send one test message through the channel NAME, one try.

    Exit status 0: it was taken; 1: unknown channel, or the address may not be reached; 2: it was
    not reached; 3: another answer.
    """
    from quota_web.alerts import channel_service
    from quota_web.alerts.send_result import SendCode
    from quota_web.alerts.senders import Senders

    present = _ready()
    channel = channel_service.find(name)
    senders = Senders(present.settings)
    try:
        result = channel_service.test(
            present.cipher, senders, channel.id, _saying(present), clock.now()
        )
    finally:
        senders.close()
    is_sent = result.code is SendCode.SENT
    click.echo(f"{channel.name}: {_said(result)}", err=not is_sent)
    statuses = {SendCode.SENT: 0, SendCode.FORBIDDEN: FORBIDDEN, SendCode.NO_ANSWER: NOT_REACHED}
    sys.exit(statuses.get(result.code, REFUSED))


def _said(result: "SendResult") -> str:
    status = f" (HTTP {result.status})" if result.status and not result.text else ""
    return f"{result.text or 'taken'}{status} after {result.duration_ms / 1000:.1f} s"


@group.command()
@click.argument("name")
def remove(name: str) -> None:
    """Delete the channel NAME and what was sent through it."""
    from quota_web.alerts import channel_service

    _ready()
    channel = channel_service.find(name)
    click.echo(f"{channel_service.remove(channel.id, clock.now(), ACTOR)}: deleted")


@group.command()
def send() -> None:
    """Send what is due, such as from cron where no service runs."""
    from quota_web.alerts import channel_chores
    from quota_web.alerts.delivery_pass import DeliveryPass
    from quota_web.alerts.senders import Senders

    present = _ready()
    saying, senders = _saying(present), Senders(present.settings)
    done = DeliveryPass(senders, present.cipher, saying, present.stop)
    count = 0
    try:
        channel_chores.run(clock.now(), saying, present.settings.refresh_interval)
        for _ in range(MOST_PASSES):
            found = done.run()
            count += found
            if not found:
                break
    finally:
        senders.close()
    click.echo(f"{count} messages were due")


def _ready() -> Services:
    present = services()
    present.ready()
    return present


def _saying(present: Services) -> "Saying":
    from quota_web.alerts.delivery_plan import Saying

    settings = present.settings
    return Saying(settings.timezone, settings.public_url, settings.language)
