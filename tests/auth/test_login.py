"""The acts of signing in: with the password, out again, and with the one-time link at the first
start.
"""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from quota_web import store
from quota_web.auth import login, throttle
from quota_web.auth.login import LoginContext, NewPassword
from quota_web.core import clock
from quota_web.core.errors import BadInput, BadSetting, TooManyTries
from quota_web.services import services
from tests.browser import CHEAP, PASSWORD, audit, failures, first_start, make_app
from tests.fakes import NOW

HERE, THERE = "192.0.2.1", "198.51.100.7"
BASE = "http://localhost:8081"
NEW = "another long password"


@pytest.fixture
def app(instance_dir, database):
    app = make_app(instance_dir, **database)
    with app.app_context(), clock.frozen(NOW):
        yield app


@pytest.fixture
def bare(instance_dir, database):
    """An app at its first start, without a password."""
    app = first_start(instance_dir, **database)
    with app.app_context(), clock.frozen(NOW):
        yield app


def gate() -> LoginContext:
    return LoginContext(services().settings, CHEAP)


def code_of(link: str | None) -> str:
    return (link or "").partition("#setup=")[2]


def test_the_password_lets_in_with_the_present_epoch(app):
    assert login.sign_in(gate(), PASSWORD, HERE, NOW) == login.epoch()
    assert audit()[0] == "signed_in"
    assert failures() == 0


def test_a_wrong_password_does_not_and_is_counted(app):
    assert login.sign_in(gate(), "wrong password", HERE, NOW) is None
    assert audit()[0] == "sign_in_failed"
    assert failures() == 1


def test_the_audit_holds_no_password(app):
    login.sign_in(gate(), "wrong password", HERE, NOW)
    login.change_password(gate(), PASSWORD, NewPassword(NEW, NEW), HERE, NOW)

    with store.database.reading() as conn:
        told = repr(store.audit_log.newest(conn))

    assert not any(secret in told for secret in ("wrong password", PASSWORD, NEW))


def test_without_any_password_nobody_gets_in(bare):
    assert not login.has_password(gate())
    assert login.sign_in(gate(), "", HERE, NOW) is None
    assert login.sign_in(gate(), PASSWORD, HERE, NOW) is None


def test_signing_out_ends_all_sessions(app):
    before = login.epoch()

    login.sign_out(NOW, "password session")

    assert login.epoch() != before
    assert audit()[0] == "signed_out"


def test_the_setting_wins_over_the_stored_password(app, instance_dir):
    fixed = make_app(instance_dir, QUOTA_PASSWORD="from the environment")
    with fixed.app_context():
        assert login.sign_in(gate(), PASSWORD, HERE, NOW) is None
        assert login.sign_in(gate(), "from the environment", HERE, NOW) == login.epoch()
        with pytest.raises(BadInput, match="QUOTA_PASSWORD sets"):
            login.change_password(gate(), "from the environment", NewPassword(NEW), HERE, NOW)
        with pytest.raises(BadInput, match="QUOTA_PASSWORD sets"):
            login.set_password(gate(), NewPassword(NEW), NOW, "test")


def test_changing_the_password_ends_sessions_and_needs_the_present_one(app):
    before = login.epoch()

    with pytest.raises(BadInput) as raised:
        login.change_password(gate(), "wrong password", NewPassword(NEW, NEW), HERE, NOW)
    assert raised.value.field == "current_password"
    assert login.epoch() == before

    assert (
        login.change_password(gate(), PASSWORD, NewPassword(NEW, NEW), HERE, NOW)
        == login.epoch()
        != before
    )
    assert login.sign_in(gate(), PASSWORD, HERE, NOW) is None
    assert login.sign_in(gate(), NEW, HERE, NOW) is not None


def test_guessing_the_present_password_is_slowed_down_too(app):
    for _ in range(throttle.PER_MINUTE):
        with pytest.raises(BadInput):
            login.change_password(gate(), "wrong password", NewPassword(NEW), HERE, NOW)
    with pytest.raises(TooManyTries):
        login.change_password(gate(), PASSWORD, NewPassword(NEW), HERE, NOW)


# The set-up link


def test_the_link_is_made_once_and_shown_again(bare, instance_dir):
    link = login.setup_link(gate(), BASE, NOW)

    assert re.fullmatch(rf"{BASE}/login#setup=[\w-]{{43}}", link or "")
    assert login.setup_link(gate(), BASE, NOW + 60) == link
    assert (instance_dir / "setup-link").read_text() == f"{link}\n"
    assert (instance_dir / "setup-link").stat().st_mode & 0o777 == 0o600
    assert audit().count("setup_link_made") == 1


def test_the_database_has_the_codes_hash_only(bare, instance_dir):
    code = code_of(login.setup_link(gate(), BASE, NOW))

    everything = b"".join(file.read_bytes() for file in instance_dir.glob("quota.sqlite*"))

    assert code.encode() not in everything


def test_the_link_follows_the_address_and_keeps_its_code(bare, instance_dir):
    first = login.setup_link(gate(), BASE, NOW)
    second = login.setup_link(gate(), "http://localhost:9000/", NOW)

    assert (second or "").startswith("http://localhost:9000/login#setup=")
    assert code_of(second) == code_of(first)


def test_the_link_lies_under_the_prefix(instance_dir):
    app = first_start(instance_dir, QUOTA_URL_PREFIX="/a/b")
    with app.app_context():
        assert (login.setup_link(gate(), BASE, NOW) or "").startswith(f"{BASE}/a/b/login#setup=")


@pytest.mark.parametrize(
    "content",
    ["", "rubbish", f"{BASE}/login#setup=tooshort\n", f"{BASE}/login#setup={'A' * 43}\n", "\udcff"],
)
def test_a_file_that_was_tampered_with_gives_a_new_code(bare, instance_dir, content):
    code = code_of(login.setup_link(gate(), BASE, NOW))
    (instance_dir / "setup-link").write_bytes(content.encode("utf-8", "surrogateescape"))

    fresh = code_of(login.setup_link(gate(), BASE, NOW))

    assert fresh not in (code, "A" * 43)
    with pytest.raises(BadInput):
        login.choose_first(gate(), code, NewPassword(PASSWORD), HERE, NOW)
    assert login.choose_first(gate(), fresh, NewPassword(PASSWORD), HERE, NOW) == login.epoch()


def test_a_readable_or_linked_file_is_made_anew(bare, instance_dir, tmp_path):
    link = login.setup_link(gate(), BASE, NOW)
    file, elsewhere = instance_dir / "setup-link", tmp_path / "elsewhere"
    file.unlink()
    elsewhere.write_text(f"{link}\n")
    file.symlink_to(elsewhere)

    assert login.setup_link(gate(), BASE, NOW) == link
    assert not file.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_code_sets_the_password_once(bare, instance_dir):
    code = code_of(login.setup_link(gate(), BASE, NOW))

    assert (
        login.choose_first(gate(), f" {code}\n", NewPassword(PASSWORD, PASSWORD), HERE, NOW)
        == login.epoch()
    )
    assert not (instance_dir / "setup-link").exists()
    with pytest.raises(BadInput) as raised:
        login.choose_first(gate(), code, NewPassword(NEW, NEW), HERE, NOW)
    assert raised.value.field == "code"
    assert login.sign_in(gate(), PASSWORD, HERE, NOW) is not None
    assert login.setup_link(gate(), BASE, NOW) is None


def test_of_two_at_once_one_chooses(bare):
    code = code_of(login.setup_link(gate(), BASE, NOW))
    start = threading.Barrier(2)

    def choose(number: int) -> bool:
        with bare.app_context():
            start.wait()
            try:
                login.choose_first(
                    gate(), code, NewPassword(f"password number {number}"), HERE, NOW
                )
            except BadInput:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(choose, range(2))) == [False, True]


def test_wrong_codes_are_slowed_down(bare):
    code = code_of(login.setup_link(gate(), BASE, NOW))
    for _ in range(throttle.PER_MINUTE):
        with pytest.raises(BadInput):
            login.choose_first(gate(), "wrong", NewPassword(PASSWORD), HERE, NOW)
    with pytest.raises(TooManyTries):
        login.choose_first(gate(), code, NewPassword(PASSWORD), HERE, NOW)
    assert login.choose_first(gate(), code, NewPassword(PASSWORD), THERE, NOW)


def test_a_weak_password_costs_no_try_and_keeps_the_code(bare):
    code = code_of(login.setup_link(gate(), BASE, NOW))

    with pytest.raises(BadInput) as raised:
        login.choose_first(gate(), code, NewPassword("short"), HERE, NOW)

    assert raised.value.field == "password"
    assert failures() == 0
    assert login.choose_first(gate(), code, NewPassword(PASSWORD), HERE, NOW)


def test_no_code_was_made_so_none_fits(bare):
    with pytest.raises(BadInput):
        login.choose_first(gate(), "", NewPassword(PASSWORD), HERE, NOW)


@pytest.mark.parametrize(
    "settings",
    [
        {"QUOTA_AUTH": "off"},
        {"QUOTA_AUTH": "proxy", "QUOTA_TRUSTED_PROXIES": "127.0.0.1"},
        {"QUOTA_PASSWORD": "given by setting"},
    ],
)
def test_where_nothing_is_to_be_set_up_there_is_no_link_and_an_old_one_is_void(
    instance_dir, settings
):
    with first_start(instance_dir).app_context():
        code = code_of(login.setup_link(gate(), BASE, NOW))
    with first_start(instance_dir, **settings).app_context():
        assert login.setup_link(gate(), BASE, NOW) is None
    assert not (instance_dir / "setup-link").exists()
    with first_start(instance_dir).app_context(), pytest.raises(BadInput):
        login.choose_first(gate(), code, NewPassword(PASSWORD), HERE, NOW)


def test_a_folder_that_cannot_be_written_is_one_clear_line(bare, instance_dir):
    (instance_dir / "setup-link").mkdir()

    with pytest.raises(BadSetting, match="setup-link"):
        login.setup_link(gate(), BASE, NOW)


def test_starts_at_the_same_time_agree_on_one_link(bare):
    def make(_):
        with bare.app_context():
            return login.setup_link(gate(), BASE, NOW)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(16)))) == 1
