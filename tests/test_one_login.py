"""One login is one account: however it comes in, under whatever name, and in every count."""

import json

import pytest

from quota_web import accounts, metrics, reports, results
from quota_web.codex import auth_file
from quota_web.errors import BadInput
from quota_web.store import engine, events
from tests.fakes import FAR, auth_document, make_jwt
from tests.logins import document, stored, text

pytestmark = pytest.mark.usefixtures("database")

BY = "a person"
NEWER = make_jwt("acct-1", user_id="user-1", exp=FAR + 1)


def add(house, name="alice", *args, **tokens):
    given = auth_file.parse(document(*args, **tokens))
    return accounts.add(house.world.sealer, name, given, house.now, BY)


def edit(house, name, new_name=None, given=None):
    return accounts.edit(house.world.sealer, name, new_name or name, given, house.now, BY)


def test_a_login_that_is_here_gets_the_new_tokens_under_the_name_it_has(house, codex):
    add(house)
    house.ask()
    saved = add(house, "work", access_token=NEWER)

    assert (saved.name, saved.is_new, saved.outcome) == (
        "alice",
        False,
        "here already, credentials replaced",
    )
    assert house.names() == ["alice"]
    assert stored(house, "alice").access_token.reveal() == NEWER
    assert house.used("alice") == {"five_hour": 12, "weekly": 40}
    with engine.reading() as conn:
        assert "account_replaced" in [e.kind for e in events.newest(conn)]


def test_an_import_after_a_rename_updates_the_renamed_account(house, tmp_path):
    file = tmp_path / "auth.json"
    file.write_text(text())
    house.run("accounts", "import", str(file))
    edit(house, "a@example.com", "work")

    done = house.run("accounts", "import", str(file))
    assert (done.stdout, done.exit_code) == ("work: here already, credentials replaced\n", 0)
    assert house.names() == ["work"]


def test_the_very_same_token_is_one_login_though_it_names_no_user(house, tmp_path):
    given = auth_file.parse(auth_document("acct-1"))
    for name in ("alice", "work"):
        accounts.add(house.world.sealer, name, given, house.now, BY)
    other = auth_file.parse(auth_document("acct-1", access_token="another-opaque-token"))
    accounts.add(house.world.sealer, "colleague", other, house.now, BY)

    assert house.names() == ["alice", "colleague"]


def test_a_name_that_another_login_has_does_not_keep_a_known_login_from_its_update(house):
    add(house, "alice")
    add(house, "bob", "acct-2", "user-2")

    assert add(house, "bob", access_token=NEWER).name == "alice"
    assert stored(house, "bob").account_id == "acct-2"


def test_the_file_of_a_followed_login_is_written_only_by_a_token_that_lasts_longer(house):
    path = house.file("alice", "acct-1", user_id="user-1")
    house.follow()
    before = path.read_bytes()
    older = make_jwt("acct-1", user_id="user-1", exp=FAR - 1)

    assert add(house, "work", access_token=older).is_due is False
    assert path.read_bytes() == before
    assert add(house, "work", access_token=NEWER).is_due is True
    assert json.loads(path.read_bytes())["tokens"]["access_token"] == NEWER
    assert house.names() == ["alice"]


def test_an_edit_does_not_make_a_second_account_of_a_login(house):
    add(house, "alice")
    add(house, "bob", "acct-2", "user-2")

    with pytest.raises(BadInput, match="this login is here already as alice; change it there"):
        edit(house, "bob", given=auth_file.parse(document()))
    assert house.names() == ["alice", "bob"]


# A login that stands under several names


@pytest.fixture
def twins(house, codex):
    for name in ("bob", "alice"):
        house.file(name, "acct-1", user_id="user-1")
    house.file("carol", "acct-2", user_id="user-2")
    house.refresh()
    return house


def seen(house):
    return reports.overview(house.scope, house.now, 3_600)


def test_a_repeated_login_says_whose_it_is_and_is_counted_once(twins):
    entries = {e["account"]: e["same_login_as"] for e in results.document(seen(twins))["results"]}

    assert entries == {"alice": None, "bob": "alice", "carol": None}
    assert [a.account.name for a in seen(twins).counted] == ["alice", "carol"]


def test_the_name_that_works_stands_for_the_login(twins):
    accounts.pause("alice", twins.now, BY)

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
