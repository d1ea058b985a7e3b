"""What a sign-in that was made here becomes: an account's own credential, which nothing replaces by
accident.
"""

import json

import pytest

from quota_web import store
from quota_web.accounts import account_form, account_service, spare_credentials
from quota_web.accounts.account_form import AccountForm
from quota_web.codex import auth_file
from quota_web.core.errors import AccountNotFound, OtherLogin
from quota_web.core.renewal_policy import DAY, CredentialKind, Renewal
from quota_web.sign_ins import own_credentials
from tests import logins
from tests.fakes import NOW, make_jwt

pytestmark = pytest.mark.usefixtures("database")


def document(number=1, **tokens):
    made = make_jwt("acct-1", user_id="user-1", iat=NOW, exp=NOW + 10 * DAY, number=number)
    return logins.document(**{"access_token": made, "refresh_token": f"rt_own_{number}", **tokens})


def sign_in(installation, name="alice", account_id=None, number=1):
    found = auth_file.parse(document(number))
    with store.database.transaction() as tx:
        return own_credentials.store_own(
            tx, installation.services.cipher, name, found, NOW, "test", account_id
        )


def held(installation, name="alice"):
    with store.database.reading() as conn:
        found = store.accounts.get_by_name(conn, name)
        return store.credentials.get_by_ids(conn, [found.id])[found.id]


def spares(installation, name="alice"):
    one = held(installation, name)
    return spare_credentials.opened(installation.services.cipher, one.account_id, one.spare_sealed)


def refresh_token(found):
    assert found.refresh_token is not None
    return found.refresh_token.reveal()


def paste(installation, number=2, **options):
    found = auth_file.parse(document(number))
    cipher = installation.services.cipher
    return account_service.add(cipher, "alice", found, NOW, "test", **options)


def test_a_new_sign_in_becomes_an_account_whose_renewal_is_on(installation):
    saved = sign_in(installation)

    found = held(installation)
    assert (saved.name, saved.is_new, saved.done) == ("alice", True, "added")
    assert (found.kind, found.renewal) == (CredentialKind.OWN, Renewal.ON)
    assert NOW + 4.5 * DAY <= found.renew_at <= NOW + 5 * DAY
    assert installation.account("alice").origin == "managed"
    assert installation.rows("SELECT kind FROM event") == [("credential.signed_in",)]


def test_a_followed_account_becomes_own_with_its_history_and_its_file_stays(installation, codex):
    file = installation.raw_file("alice", json.dumps(logins.document()).encode())
    installation.refresh()
    before, content = installation.account("alice"), file.read_bytes()

    saved = sign_in(installation, "ignored", before.id)
    looked = installation.follow()

    after = installation.account("alice")
    assert (saved.name, saved.is_new) == ("alice", False)
    assert (after.id, after.origin, after.source_path) == (before.id, "managed", None)
    assert file.read_bytes() == content
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}
    assert held(installation).renewal == Renewal.ON
    assert [(one.name, one.fault.code, one.is_fine) for one in looked.problems] == [
        ("alice", "signed_in_here", True)
    ]


def test_a_file_of_another_login_under_that_name_is_still_a_fault(installation):
    sign_in(installation)
    installation.file("alice", "acct-2")

    assert [one.fault.code for one in installation.follow().problems] == ["name_taken"]


def test_a_login_that_is_here_already_gets_the_sign_in_under_its_name(installation):
    logins.managed(installation)

    saved = sign_in(installation, "another name")

    assert (saved.name, saved.is_new, saved.given_name) == ("alice", False, "another name")
    assert held(installation).kind == CredentialKind.OWN


def test_tokens_of_another_login_are_not_stored_as_the_accounts(installation):
    found = auth_file.parse(logins.document("acct-2", "user-2"))
    account_service.add(installation.services.cipher, "bob", found, NOW, "test")
    before = held(installation, "bob")

    with pytest.raises(OtherLogin):
        sign_in(installation, "bob", installation.account("bob").id)
    with pytest.raises(AccountNotFound):
        sign_in(installation, "bob", 4711)

    assert held(installation, "bob") == before


def test_pasting_does_not_replace_a_sign_in_that_is_renewed(installation):
    sign_in(installation)
    before = held(installation)

    saved = paste(installation)

    assert (saved.done, saved.is_kept, saved.is_due) == (
        "already signed in here, kept",
        True,
        False,
    )
    assert held(installation) == before


def test_with_a_tick_it_does_and_the_old_tokens_are_kept_aside(installation):
    sign_in(installation)
    paste(installation, replace_own=True)

    found, [spare] = held(installation), spares(installation)
    assert (found.kind, found.renewal, found.renew_at) == (CredentialKind.COPY, Renewal.OFF, None)
    assert refresh_token(logins.stored(installation, "alice")) == "rt_own_2"
    assert (spare.why, spare.kind, refresh_token(spare)) == ("replaced", "own", "rt_own_1")


def test_no_more_than_three_are_kept_aside(installation):
    for number in range(1, 6):
        paste(installation, number)
        installation.execute("UPDATE credential SET renewal = 'on', renew_at = 1")
    paste(installation, 6)

    kept = [refresh_token(one) for one in spares(installation)]
    assert kept == ["rt_own_5", "rt_own_4", "rt_own_3"]


def test_the_same_copy_pasted_again_keeps_how_its_renewal_stands(installation):
    paste(installation, 7)
    installation.execute("UPDATE credential SET renewal = 'unsure', renew_at = 99")

    paste(installation, 7)

    assert (held(installation).renewal, held(installation).renew_at) == (Renewal.UNSURE, 99)
    assert held(installation).spare_sealed is None


def test_an_import_and_a_form_keep_it_as_well(installation, tmp_path):
    sign_in(installation)
    file = tmp_path / "alice.json"
    file.write_text(json.dumps(document(2)))

    kept = installation.run("accounts", "import", str(file))
    edited = account_form.save(
        installation.services.cipher,
        installation.scope,
        AccountForm("alice", "alice", pasted=json.dumps(document(3))),
        NOW,
        "test",
    )

    assert (kept.exit_code, kept.output) == (0, "alice: already signed in here, kept\n")
    assert [one.done for one in edited] == ["already signed in here, kept"]
    assert refresh_token(logins.stored(installation, "alice")) == "rt_own_1"

    replaced = installation.run("accounts", "import", "--replace", str(file))
    assert replaced.output == "alice: here already, credentials replaced\n"
    assert refresh_token(logins.stored(installation, "alice")) == "rt_own_2"


def test_a_followed_file_brings_no_refresh_token_and_is_never_renewed(installation):
    installation.file("alice")
    installation.follow()

    found = held(installation)
    assert (found.kind, found.renewal, found.refresh_fp) == (CredentialKind.FILE, Renewal.OFF, None)
