"""Act: note that a person wants a fact beside quota asked for again; a pass does so."""

from quota_web import store
from quota_web.core.errors import BadInput
from quota_web.core.extra_facts import KINDS
from quota_web.core.language import mark
from quota_web.extras import asking
from quota_web.store.accounts import Scope, Shown


def want(
    name: str, kind: str, now: int, scope: Scope | None = None, shown: Shown | None = None
) -> str:
    """Have *kind* asked for an account with the next pass; returns the account's name.

    Raises AccountNotFound, Outdated, and BadInput where nothing may be asked for it.
    """
    with store.database.transaction() as tx:
        found = store.accounts.as_shown(tx, name, shown, scope)
        if kind not in KINDS or not asking.may_be_asked(found):
            raise BadInput("name", mark("%(name)s: nothing is asked for it"), name=found.name)
        store.extras.want(tx, found.id, kind, found.chatgpt_account_id or "", now)
        store.accounts.bump_version(tx, found.id)
        store.site_state.bump_version(tx, now)
    return found.name
