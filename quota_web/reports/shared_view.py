"""What a share link shows of the accounts: those it is for, under names that strangers may read.
Pure.

The views themselves are changed, so that whatever is made of them cannot say more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from quota_web.core import names
from quota_web.reports.overview import AccountView, Overview


def shown_names(accounts: Sequence[AccountView], with_names: bool) -> dict[str, str]:
    """Each name of *accounts* (all there are) as links show it: one that holds an address, id or
    token is `account 1` unless its owner chose *with_names*. The numbers are the same in all links.
    """
    if with_names:
        return {view.account.name: view.account.name for view in accounts}
    return names.shareable(v.account.name for v in sorted(accounts, key=attrgetter("account.id")))


@dataclass(frozen=True, slots=True)
class SharedView:
    """What a link may show."""

    overview: Overview
    #: The one account that it is for; None where it is for all.
    one: AccountView | None


def shared(seen: Overview, account_id: int | None, with_names: bool) -> SharedView | None:
    """*seen* as a link for one account, or for all of them, may show it; None where that one is not
    among them.
    """
    shown = shown_names(seen.accounts, with_names)
    if account_id is None:
        views = [_masked(view, shown, view.same_login_as) for view in seen.accounts]
        return SharedView(seen.only(views), None)
    # Of another account with the same login not even the name is shown.
    chosen = [_masked(v, shown, None) for v in seen.accounts if v.account.id == account_id]
    return SharedView(seen.only(chosen), chosen[0]) if chosen else None


def _masked(view: AccountView, shown: dict[str, str], same_login_as: str | None) -> AccountView:
    """*view* without what names its login: e-mail address, ids and the path of its file."""
    account = replace(
        view.account,
        name=shown[view.account.name],
        email=None,
        chatgpt_account_id=None,
        chatgpt_user_id=None,
        answer_user_id=None,
        source_path=None,
    )
    return replace(
        view, account=account, same_login_as=shown[same_login_as] if same_login_as else None
    )
