"""The act behind the account form: what was typed, pasted or uploaded becomes accounts, or errors
at their fields.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from quota_web import store
from quota_web.accounts import account_service, importing, stored_credentials
from quota_web.accounts.account_service import Saved
from quota_web.accounts.importing import Planned
from quota_web.codex import auth_file
from quota_web.codex.auth_file import Credentials, Entry
from quota_web.core import names
from quota_web.core.errors import AccountExists, BadInput, CredentialsRefused, QuotaError
from quota_web.core.faults import Fault
from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.store.accounts import (
    Account,
    Scope,
    Shown,
)
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import TokenCipher

#: What a pasted text is called where files have a name.
PASTED = "pasted"
#: Faults that belong to the account id's field where that was typed.
_ACCOUNT_ID_FAULTS = ("missing_account_id", "bad_account_id")


@dataclass(frozen=True, slots=True)
class AccountForm:
    """The form as it came. Nothing of it is shown back but the name and the account id."""

    name: str = ""
    #: The account that is edited; empty for a new one.
    original_name: str = ""
    pasted: str = ""
    #: (file name, content) of each upload.
    files: tuple[tuple[str, bytes], ...] = ()
    access_token: str = ""
    account_id: str = ""
    #: What the page of the form showed of the edited account.
    shown: Shown = field(default_factory=Shown)
    #: Whether a sign-in that was made here may be replaced.
    replace_own: bool = False

    def __repr__(self) -> str:
        return f"Typed(name={self.name!r}, original_name={self.original_name!r})"


class FormInvalid(QuotaError):
    """Something in the form cannot be used; *errors* maps a field (or "" for the whole) to what is
    wrong with it, *saved* is what could be.
    """

    def __init__(self, errors: dict[str, str], saved: Sequence[Saved] = ()) -> None:
        self.errors, self.saved = errors, tuple(saved)
        super().__init__("; ".join(errors.values()))


def save(
    cipher: TokenCipher, scope: Scope, typed: AccountForm, now: int, actor: str
) -> list[Saved]:
    """Store what the form says.

    Raises FormInvalid, and AccountNotFound where the edited account is gone.
    """
    if typed.original_name:
        return [_edit(cipher, scope, typed, now, actor)]
    entries = _given(typed)
    errors: dict[str, str] = {}
    saved = list(_add_all(cipher, typed, entries, errors, now, actor))
    if errors:
        told = _("Saved %(names)s; the rest was not.", names=_listed(saved))
        raise FormInvalid(({"": told} if saved else {}) | errors, saved)
    return saved


def _listed(saved: Sequence[Saved]) -> str:
    return _(", ").join(one.name for one in saved)


def _given(typed: AccountForm) -> list[Entry]:
    entries = _entries(typed)
    if not entries:
        raise FormInvalid({"auth_json": _("give an auth.json, or a token and an account id")})
    return entries


@dataclass(frozen=True, slots=True)
class ChosenEntry:
    """One of the accounts that a page showed, under the name that a person gave it there."""

    entry: Entry
    name: str


def preview(typed: AccountForm) -> list[Planned]:
    """What saving the form would do. Raises FormInvalid where nothing in it can be used."""
    entries = _given(typed)
    usable = [entry for entry in entries if entry.credentials is not None]
    if not usable:
        errors: dict[str, str] = {}
        for entry in entries:
            try:
                _usable(entry, typed)
            except FormInvalid as refused:
                _note(errors, refused, entry.name if len(entries) > 1 else None)
        raise FormInvalid(errors)
    given = typed.name if len(usable) == 1 else ""
    return importing.plan(
        replace(e, name=_shown_name(e, given)) if e.credentials else e for e in entries
    )


def _shown_name(entry: Entry, given: str) -> str:
    email = entry.credentials.email if entry.credentials else None
    name = given or entry.name or email or ""
    return "" if name == PASTED and not given else name


def save_chosen(
    cipher: TokenCipher,
    chosen: Sequence[ChosenEntry],
    now: int,
    actor: str,
    *,
    replace_own: bool = False,
) -> tuple[list[Saved], dict[int, str]]:
    """Store those that a person chose; returns what was stored, and what is wrong with others, by
    their place.
    """
    saved, errors = [], {}
    for place, choice in enumerate(chosen):
        if choice.entry.credentials is None:
            continue
        try:
            found = choice.entry.credentials
            saved.append(
                account_service.add(cipher, choice.name, found, now, actor, replace_own=replace_own)
            )
        except (BadInput, AccountExists) as error:
            errors[place] = error.said
    return saved, errors


def _edit(cipher: TokenCipher, scope: Scope, typed: AccountForm, now: int, actor: str) -> Saved:
    with store.database.reading() as conn:
        found = store.accounts.as_shown(conn, typed.original_name, typed.shown, scope)
        sealed = store.credentials.get_by_ids(conn, [found.id]).get(found.id)
    entries = _entries(typed, found.chatgpt_account_id)
    if len(entries) > 1:
        told = _("this is one account, the file holds %(count)s", count=len(entries))
        raise FormInvalid({"auth_json": told})
    credentials: Credentials | None = None
    if entries:
        credentials = _usable(entries[0], typed)
    elif typed.account_id and typed.account_id != found.chatgpt_account_id:
        credentials = replace(_stored(cipher, found, sealed), account_id=_checked_id(typed))
    try:
        return account_service.edit(
            cipher,
            found.name,
            typed.name or found.name,
            credentials,
            now,
            actor,
            typed.shown,
            replace_own=typed.replace_own,
        )
    except (BadInput, AccountExists) as error:
        raise FormInvalid({_field(error): error.said}) from None
    except CredentialsRefused as refused:
        # Not what was typed: the file that the account follows has no place for it.
        file = names.printable(found.source_path or "")
        told = _("%(file)s cannot be changed: %(reason)s", file=file, reason=refused.said)
        raise FormInvalid({"auth_json": told}) from None


def _stored(cipher: TokenCipher, found: Account, sealed: EncryptedCredential | None) -> Credentials:
    """What is stored of an account, for an account id that is to go with it."""
    if sealed is None:
        told = _("there is no stored token to go with it; give one")
        raise FormInvalid({"access_token": told})
    try:
        return stored_credentials.opened(cipher, found, sealed)
    except BadInput as error:
        raise FormInvalid({"access_token": error.said}) from None


def _checked_id(typed: AccountForm) -> str:
    """The typed account id, judged by the rule for files."""
    probe = {"tokens": {"access_token": "x" * 20, "account_id": typed.account_id}}
    try:
        return auth_file.parse(probe).account_id
    except CredentialsRefused as refused:
        raise FormInvalid({"account_id": refused.said}) from None


def _entries(typed: AccountForm, known_id: str | None = None) -> list[Entry]:
    """Every account that the form gives, by whichever of its three ways.

    *known_id* is the edited account's, for a token that names none.
    """
    sources = [
        *typed.files,
        *(
            [(PASTED, typed.pasted.encode("utf-8", "surrogatepass"))]
            if typed.pasted.strip()
            else []
        ),
    ]
    if not typed.access_token:
        return [entry for name, raw in sources for entry in auth_file.entries(raw, name)]
    if sources:
        raise FormInvalid({"access_token": _("give either an auth.json or a token, not both")})
    found = _token_entry(typed.access_token, typed.account_id)
    if known_id and found.fault is not None and found.fault.code == "missing_account_id":
        found = _token_entry(typed.access_token, known_id)
    return [found]


def _token_entry(access_token: str, account_id: str) -> Entry:
    tokens = {"access_token": access_token} | ({"account_id": account_id} if account_id else {})
    try:
        return Entry(None, auth_file.parse({"tokens": tokens}), None)
    except CredentialsRefused as refused:
        return Entry(None, None, refused.fault)


def _add_all(
    cipher: TokenCipher,
    typed: AccountForm,
    entries: Sequence[Entry],
    errors: dict[str, str],
    now: int,
    actor: str,
) -> Iterator[Saved]:
    given = typed.name if len(entries) == 1 else ""
    for entry in entries:
        shown = given or entry.name
        try:
            credentials = _usable(entry, typed)
            name = shown or credentials.email
            if not name or (name == PASTED and not given):
                raise FormInvalid({"name": _("give the account a name")})
            # A name that was not typed may be another login's: seats of one workspace often
            # share an e-mail address.
            add = account_service.add if given else account_service.add_under_free_name
            yield add(
                cipher,
                names.validate(name),
                credentials,
                now,
                actor,
                replace_own=typed.replace_own,
            )
        except FormInvalid as refused:
            _note(errors, refused, None if len(entries) == 1 else shown or _("an entry"))
        except (BadInput, AccountExists) as error:
            _put(errors, "name" if len(entries) == 1 else "auth_json", error.said)


def _note(errors: dict[str, str], refused: FormInvalid, shown: str | None) -> None:
    for where, text in refused.errors.items():
        _put(errors, where, _("%(name)s: %(text)s", name=shown, text=text) if shown else text)


def _put(errors: dict[str, str], field: str, text: str) -> None:
    errors[field] = _("; ").join(filter(None, (errors.get(field), text)))


def _usable(entry: Entry, typed: AccountForm) -> Credentials:
    if entry.credentials is not None:
        return entry.credentials
    fault = entry.fault or Fault("missing_access_token")
    field = "access_token" if typed.access_token else "auth_json"
    raise FormInvalid(
        {
            "account_id"
            if typed.access_token and fault.code in _ACCOUNT_ID_FAULTS
            else field: fault.explained_here()
        }
    )


def _field(error: QuotaError) -> str:
    return error.field if isinstance(error, BadInput) else "name"


def named(form: Mapping[str, str]) -> str:
    """The account's name. Raises BadInput where there is none."""
    name = form.get("name", "")
    if not name:
        raise BadInput("name", mark("no account is named"))
    return name


def shown_by(form: Mapping[str, str]) -> Shown:
    """What the page of a form showed of its account, where the form says it; what is no number was
    shown on none.
    """
    said = {field: form[field] for field in ("id", "version") if form.get(field)}
    return Shown(
        **{
            field: int(value) if re.fullmatch(r"[0-9]{1,18}", value) else -1
            for field, value in said.items()
        }
    )
