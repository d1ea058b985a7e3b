"""`flask quota password` and `flask quota token …`, on the host."""

import sys

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext

from quota_web.cli import output
from quota_web.core import clock
from quota_web.services import services

ACTOR = "command line"


def add_to(group: click.Group) -> None:
    """Add the commands of this module."""
    group.add_command(password)
    group.add_command(token)


@click.command()
@with_appcontext
def password() -> None:
    """Set the dashboard's password: asked for twice, or the first line of standard input.

    Ends all sessions.
    """
    from quota_web.auth import login, passwords

    services().ready()
    gate = login.LoginContext(
        services().settings, current_app.config.get("PASSWORD_COST", passwords.COST)
    )
    login.set_password(gate, login.NewPassword(_typed_twice()), clock.now(), ACTOR)
    click.echo("The password is set; all sessions have ended.")


def _typed_twice() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("New password", hide_input=True, confirmation_prompt="The same again")
    return typed


token = AppGroup(
    "token",
    help="API tokens for scripts. Every token reads and may refresh; --write lets it save and "
    "delete accounts, too.",
)


@token.command("create")
@click.argument("name")
@click.option("--write", is_flag=True, help="The token may also save and delete accounts.")
def token_create(name: str, write: bool) -> None:
    """Make the token NAME and print it, this once."""
    from quota_web.auth import tokens

    services().ready()
    made, secret = tokens.create(name, write, clock.now(), ACTOR)
    click.echo(secret.reveal())
    click.echo(f"{made}: send it as Authorization: Bearer …; it is shown this once", err=True)


@token.command("list")
def token_list() -> None:
    """List the tokens; none is ever shown again."""
    from quota_web.auth import tokens
    from quota_web.core import times

    services().ready()
    zone = services().settings.timezone
    rows = [("token", "may", "created", "last used")]
    for one in tokens.listed():
        last = times.local(one.last_used_at, zone) if one.last_used_at is not None else "never"
        rows.append(
            (
                one.name,
                "read, write" if one.can_write else "read",
                times.local(one.created_at, zone),
                last,
            )
        )
    click.echo("\n".join(output.columns_of(rows)))


@token.command("revoke")
@click.argument("name")
def token_revoke(name: str) -> None:
    """Make the token NAME worthless at once."""
    from quota_web.auth import tokens

    services().ready()
    click.echo(f"{tokens.revoke(name, clock.now(), ACTOR)}: revoked")
