"""What a shell offers when a name of an account is to be completed."""

import re

import click
from flask.cli import ScriptInfo

from quota_web.core.errors import QuotaError
from quota_web.services import services

#: Shells put what is offered on their line as it is: a name that means more there is left out.
PLAIN = re.compile(r"[\w@.+][\w@.+-]*")


def account_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The names of the accounts that begin with *incomplete*; none where the database cannot be
    read or is not there yet.
    """
    from quota_web import store

    with ctx.ensure_object(ScriptInfo).load_app().app_context():
        present = services()
        file = store.database.sqlite_path(present.settings.database_url)
        if file is not None and not file.exists():
            return []
        try:
            present.ready()
            with store.database.reading() as conn:
                names = [one.name for one in store.accounts.list_all(conn, present.scope)]
        except QuotaError:
            return []
    return [name for name in names if name.startswith(incomplete) and PLAIN.fullmatch(name)]
