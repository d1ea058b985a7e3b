"""One login is one account: however it comes in, under whatever name, and in every count."""

import json

import pytest

from quota_web import store
from quota_web.accounts import account_service
from quota_web.codex import auth_file
from quota_web.core.errors import BadInput
from quota_web.reports import metrics, overview, results_json
from tests.fakes import FAR, auth_document, make_jwt
from tests.logins import document, stored, text

pytestmark = pytest.mark.usefixtures("database")

BY = "a person"
NEWER = make_jwt("acct-1", user_id="user-1", exp=FAR + 1)


def add(installation, name="alice", *args, **tokens):
    given = auth_file.parse(document(*args, **tokens))
    return account_service.add(installation.services.cipher, name, given, installation.now, BY)


def edit(installation, name, new_name=None, given=None):
    return account_service.edit(
        installation.services.cipher, name, new_name or name, given, installation.now, BY
    )


def test_a_login_that_is_here_gets_the_new_tokens_under_the_name_it_has(installation, codex):
    add(installation)
    installation.ask()
    saved = add(installation, "work", access_token=NEWER)

    assert (saved.name, saved.is_new, saved.outcome) == (
        "alice",
        False,
        "here already, credentials replaced",
    )
    assert installation.names() == ["alice"]
    assert stored(installation, "alice").access_token.reveal() == NEWER
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}
    with store.database.reading() as conn:
        assert "account_replaced" in [e.kind for e in store.audit_log.newest(conn)]


def test_an_import_after_a_rename_updates_the_renamed_account(installation, tmp_path):
    file = tmp_path / "auth.json"
    file.write_text(text())
    installation.run("accounts", "import", str(file))
    edit(installation, "a@example.com", "work")

    done = installation.run("accounts", "import", str(file))
    assert (done.stdout, done.exit_code) == ("work: here already, credentials replaced\n", 0)
    assert installation.names() == ["work"]


def test_the_very_same_token_is_one_login_though_it_names_no_user(installation, tmp_path):
    given = auth_file.parse(auth_document("acct-1"))
    for name in ("alice", "work"):
        account_service.add(installation.services.cipher, name, given, installation.now, BY)
    other = auth_file.parse(auth_document("acct-1", access_token="another-opaque-token"))
    account_service.add(installation.services.cipher, "colleague", other, installation.now, BY)

    assert installation.names() == ["alice", "colleague"]


def test_a_name_that_another_login_has_does_not_keep_a_known_login_from_its_update(installation):
    add(installation, "alice")
    add(installation, "bob", "acct-2", "user-2")

    assert add(installation, "bob", access_token=NEWER).name == "alice"
    assert stored(installation, "bob").account_id == "acct-2"


def test_the_file_of_a_followed_login_is_written_only_by_a_token_that_lasts_longer(installation):
    path = installation.file("alice", "acct-1", user_id="user-1")
    installation.follow()
    before = path.read_bytes()
    older = make_jwt("acct-1", user_id="user-1", exp=FAR - 1)

    assert add(installation, "work", access_token=older).is_due is False
    assert path.read_bytes() == before
    assert add(installation, "work", access_token=NEWER).is_due is True
    assert json.loads(path.read_bytes())["tokens"]["access_token"] == NEWER
    assert installation.names() == ["alice"]


def test_an_edit_does_not_make_a_second_account_of_a_login(installation):
    add(installation, "alice")
    add(installation, "bob", "acct-2", "user-2")

    with pytest.raises(BadInput, match="this login is here already as alice; change it there"):
        edit(installation, "bob", given=auth_file.parse(document()))
    assert installation.names() == ["alice", "bob"]


# A login that stands under several names


@pytest.fixture
def twins(installation, codex):
    for name in ("bob", "alice"):
        installation.file(name, "acct-1", user_id="user-1")
    installation.file("carol", "acct-2", user_id="user-2")
    installation.refresh()
    return installation


def seen(installation):
    return overview.load_overview(installation.scope, installation.now, 3_600)


def test_a_repeated_login_says_whose_it_is_and_is_counted_once(twins):
    entries = {
        e["account"]: e["same_login_as"] for e in results_json.document(seen(twins))["results"]
    }

    assert entries == {"alice": None, "bob": "alice", "carol": None}
    assert [a.account.name for a in seen(twins).counted] == ["alice", "carol"]


def test_the_name_that_works_stands_for_the_login(twins):
    account_service.pause("alice", twins.now, BY)

    assert [a.account.name for a in seen(twins).counted] == ["bob", "carol"]


def test_no_figure_of_a_repeated_login_is_summed_twice(twins):
    page = metrics.page(twins.scope, twins.now, 3_600)[0].decode()

    assert 'codex_quota_remaining_percent{account="alice",window="weekly"}' in page
    assert 'account="bob",window=' not in page
    assert 'codex_quota_same_login{account="bob",same_login_as="alice"} 1.0' in page
    assert "codex_quota_accounts 2.0" in page


def test_the_dashboard_counts_a_repeated_login_once_and_says_so(twins, browser):
    page = browser.get("/").text

    assert "2 of 2 can be used" in page.replace('<span class="big">2</span>', "2")
    assert "same login as alice" in page
