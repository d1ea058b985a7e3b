"""The acts of signing in: password, set-up link, API tokens, the brake on guessing, on the command line and across processes."""

import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from quota_web import api_tokens, clock, guesses, passwords, sign_in
from quota_web.config import PROJECT
from quota_web.errors import BadInput, BadSetting, TooManyTries
from quota_web.sign_in import Gate, NewPassword
from quota_web.store import engine, events
from quota_web.store import sign_in as store
from quota_web.world import world
from tests.browser import CHEAP, PASSWORD, first_start, make_app
from tests.fakes import NOW

HERE, THERE = "192.0.2.1", "198.51.100.7"
BASE = "http://localhost:8081"
NEW = "another long password"


@pytest.fixture
def app(instance_dir):
    app = make_app(instance_dir)
    with app.app_context(), clock.frozen(NOW):
        yield app


@pytest.fixture
def bare(instance_dir):
    """An app at its first start, without a password."""
    app = first_start(instance_dir)
    with app.app_context(), clock.frozen(NOW):
        yield app


def gate() -> Gate:
    return Gate(world().settings, CHEAP)


def kinds() -> list[str]:
    with engine.reading() as conn:
        return [event.kind for event in events.newest(conn)]


def failures() -> int:
    with engine.reading() as conn:
        return len(store.all_failures(conn, 0, 1000))


def code_of(link: str | None) -> str:
    return (link or "").partition("#setup=")[2]


# Passwords


@pytest.mark.parametrize(
    ("new", "again", "field"), [("elevenchars", None, "password"), ("x" * 1001, None, "password"), ("x" * 12, "x" * 13, "password_again")]
)
def test_a_password_is_long_enough_not_too_long_and_typed_twice_alike(new, again, field):
    with pytest.raises(BadInput) as raised:
        passwords.checked(new, again)

    assert raised.value.field == field


def test_twelve_characters_are_enough():
    assert passwords.checked("x" * 12, "x" * 12) == "x" * 12


def test_a_hash_fits_its_password_alone_and_says_nothing_about_it():
    stored = passwords.hashed(PASSWORD, CHEAP)

    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
    assert passwords.fits(stored, PASSWORD, CHEAP)
    assert not passwords.fits(stored, PASSWORD + " ", CHEAP)
    assert not passwords.fits(stored, "", CHEAP)
    assert stored != passwords.hashed(PASSWORD, CHEAP)


def test_what_is_no_hash_fits_nothing():
    assert not passwords.fits("not a hash", PASSWORD, CHEAP)
    assert not passwords.fits(None, PASSWORD, CHEAP)


def test_one_password_typed_on_two_keyboards_is_the_same():
    assert passwords.fits(passwords.hashed("caf\u00e9 au lait!", CHEAP), "cafe\u0301 au lait!", CHEAP)
    assert passwords.same("caf\u00e9", "cafe\u0301")


@pytest.mark.parametrize("odd", ["\ud800" * 12, "\x00" * 12, "пароль-пароль", "🔑" * 12])
def test_odd_passwords_work_too(odd):
    assert passwords.fits(passwords.hashed(odd, CHEAP), odd, CHEAP)


def test_at_most_two_are_hashed_at_once():
    running, most, lock = 0, 0, threading.Lock()

    def hash_one(_):
        nonlocal running, most
        with passwords._turn():
            with lock:
                running += 1
                most = max(most, running)
            threading.Event().wait(0.01)
            with lock:
                running -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(hash_one, range(24)))

    assert most == passwords.AT_ONCE


# Signing in and out


def test_the_password_lets_in_with_the_present_epoch(app):
    assert sign_in.sign_in(gate(), PASSWORD, HERE, NOW) == sign_in.epoch()
    assert kinds()[0] == "signed_in"
    assert failures() == 0


def test_a_wrong_password_does_not_and_is_counted(app):
    assert sign_in.sign_in(gate(), "wrong password", HERE, NOW) is None
    assert kinds()[0] == "sign_in_failed"
    assert failures() == 1


def test_the_audit_holds_no_password(app):
    sign_in.sign_in(gate(), "wrong password", HERE, NOW)
    sign_in.change_password(gate(), PASSWORD, NewPassword(NEW, NEW), HERE, NOW)

    with engine.reading() as conn:
        told = repr(events.newest(conn))

    assert not any(secret in told for secret in ("wrong password", PASSWORD, NEW))


def test_without_any_password_nobody_gets_in(bare):
    assert not sign_in.has_password(gate())
    assert sign_in.sign_in(gate(), "", HERE, NOW) is None
    assert sign_in.sign_in(gate(), PASSWORD, HERE, NOW) is None


def test_signing_out_ends_all_sessions(app):
    before = sign_in.epoch()

    sign_in.sign_out(NOW, "password session")

    assert sign_in.epoch() != before
    assert kinds()[0] == "signed_out"


def test_the_setting_wins_over_the_stored_password(app, instance_dir):
    fixed = make_app(instance_dir, QUOTA_PASSWORD="from the environment")
    with fixed.app_context():
        assert sign_in.sign_in(gate(), PASSWORD, HERE, NOW) is None
        assert sign_in.sign_in(gate(), "from the environment", HERE, NOW) == sign_in.epoch()
        with pytest.raises(BadInput, match="QUOTA_PASSWORD sets"):
            sign_in.change_password(gate(), "from the environment", NewPassword(NEW), HERE, NOW)
        with pytest.raises(BadInput, match="QUOTA_PASSWORD sets"):
            sign_in.set_password(gate(), NewPassword(NEW), NOW, "test")


def test_changing_the_password_ends_sessions_and_needs_the_present_one(app):
    before = sign_in.epoch()

    with pytest.raises(BadInput) as raised:
        sign_in.change_password(gate(), "wrong password", NewPassword(NEW, NEW), HERE, NOW)
    assert raised.value.field == "current_password"
    assert sign_in.epoch() == before

    assert sign_in.change_password(gate(), PASSWORD, NewPassword(NEW, NEW), HERE, NOW) == sign_in.epoch() != before
    assert sign_in.sign_in(gate(), PASSWORD, HERE, NOW) is None
    assert sign_in.sign_in(gate(), NEW, HERE, NOW) is not None


def test_guessing_the_present_password_is_slowed_down_too(app):
    for _ in range(guesses.PER_MINUTE):
        with pytest.raises(BadInput):
            sign_in.change_password(gate(), "wrong password", NewPassword(NEW), HERE, NOW)
    with pytest.raises(TooManyTries):
        sign_in.change_password(gate(), PASSWORD, NewPassword(NEW), HERE, NOW)


# The set-up link


def test_the_link_is_made_once_and_shown_again(bare, instance_dir):
    link = sign_in.setup_link(gate(), BASE, NOW)

    assert re.fullmatch(rf"{BASE}/login#setup=[\w-]{{43}}", link or "")
    assert sign_in.setup_link(gate(), BASE, NOW + 60) == link
    assert (instance_dir / "setup-link").read_text() == f"{link}\n"
    assert (instance_dir / "setup-link").stat().st_mode & 0o777 == 0o600
    assert kinds().count("setup_link_made") == 1


def test_the_database_has_the_codes_hash_only(bare, instance_dir):
    code = code_of(sign_in.setup_link(gate(), BASE, NOW))

    everything = b"".join(file.read_bytes() for file in instance_dir.glob("quota.sqlite*"))

    assert code.encode() not in everything


def test_the_link_follows_the_address_and_keeps_its_code(bare, instance_dir):
    first = sign_in.setup_link(gate(), BASE, NOW)
    second = sign_in.setup_link(gate(), "http://localhost:9000/", NOW)

    assert (second or "").startswith("http://localhost:9000/login#setup=")
    assert code_of(second) == code_of(first)


def test_the_link_lies_under_the_prefix(instance_dir):
    app = first_start(instance_dir, QUOTA_URL_PREFIX="/a/b")
    with app.app_context():
        assert (sign_in.setup_link(gate(), BASE, NOW) or "").startswith(f"{BASE}/a/b/login#setup=")


@pytest.mark.parametrize("content", ["", "rubbish", f"{BASE}/login#setup=tooshort\n", f"{BASE}/login#setup={'A' * 43}\n", "\udcff"])
def test_a_file_that_was_tampered_with_gives_a_new_code(bare, instance_dir, content):
    code = code_of(sign_in.setup_link(gate(), BASE, NOW))
    (instance_dir / "setup-link").write_bytes(content.encode("utf-8", "surrogateescape"))

    fresh = code_of(sign_in.setup_link(gate(), BASE, NOW))

    assert fresh not in (code, "A" * 43)
    with pytest.raises(BadInput):
        sign_in.choose_first(gate(), code, NewPassword(PASSWORD), HERE, NOW)
    assert sign_in.choose_first(gate(), fresh, NewPassword(PASSWORD), HERE, NOW) == sign_in.epoch()


def test_a_readable_or_linked_file_is_made_anew(bare, instance_dir, tmp_path):
    link = sign_in.setup_link(gate(), BASE, NOW)
    file, elsewhere = instance_dir / "setup-link", tmp_path / "elsewhere"
    file.unlink()
    elsewhere.write_text(f"{link}\n")
    file.symlink_to(elsewhere)

    assert sign_in.setup_link(gate(), BASE, NOW) == link
    assert not file.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_code_sets_the_password_once(bare, instance_dir):
    code = code_of(sign_in.setup_link(gate(), BASE, NOW))

    assert sign_in.choose_first(gate(), f" {code}\n", NewPassword(PASSWORD, PASSWORD), HERE, NOW) == sign_in.epoch()
    assert not (instance_dir / "setup-link").exists()
    with pytest.raises(BadInput) as raised:
        sign_in.choose_first(gate(), code, NewPassword(NEW, NEW), HERE, NOW)
    assert raised.value.field == "code"
    assert sign_in.sign_in(gate(), PASSWORD, HERE, NOW) is not None
    assert sign_in.setup_link(gate(), BASE, NOW) is None


def test_of_two_at_once_one_chooses(bare):
    code = code_of(sign_in.setup_link(gate(), BASE, NOW))
    start = threading.Barrier(2)

    def choose(number: int) -> bool:
        with bare.app_context():
            start.wait()
            try:
                sign_in.choose_first(gate(), code, NewPassword(f"password number {number}"), HERE, NOW)
            except BadInput:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(choose, range(2))) == [False, True]


def test_wrong_codes_are_slowed_down(bare):
    code = code_of(sign_in.setup_link(gate(), BASE, NOW))
    for _ in range(guesses.PER_MINUTE):
        with pytest.raises(BadInput):
            sign_in.choose_first(gate(), "wrong", NewPassword(PASSWORD), HERE, NOW)
    with pytest.raises(TooManyTries):
        sign_in.choose_first(gate(), code, NewPassword(PASSWORD), HERE, NOW)
    assert sign_in.choose_first(gate(), code, NewPassword(PASSWORD), THERE, NOW)


def test_a_weak_password_costs_no_try_and_keeps_the_code(bare):
    code = code_of(sign_in.setup_link(gate(), BASE, NOW))

    with pytest.raises(BadInput) as raised:
        sign_in.choose_first(gate(), code, NewPassword("short"), HERE, NOW)

    assert raised.value.field == "password"
    assert failures() == 0
    assert sign_in.choose_first(gate(), code, NewPassword(PASSWORD), HERE, NOW)


def test_no_code_was_made_so_none_fits(bare):
    with pytest.raises(BadInput):
        sign_in.choose_first(gate(), "", NewPassword(PASSWORD), HERE, NOW)


@pytest.mark.parametrize(
    "settings", [{"QUOTA_AUTH": "off"}, {"QUOTA_AUTH": "proxy", "QUOTA_TRUSTED_PROXIES": "127.0.0.1"}, {"QUOTA_PASSWORD": "given by setting"}]
)
def test_where_nothing_is_to_be_set_up_there_is_no_link_and_an_old_one_is_void(instance_dir, settings):
    with first_start(instance_dir).app_context():
        code = code_of(sign_in.setup_link(gate(), BASE, NOW))
    with first_start(instance_dir, **settings).app_context():
        assert sign_in.setup_link(gate(), BASE, NOW) is None
    assert not (instance_dir / "setup-link").exists()
    with first_start(instance_dir).app_context(), pytest.raises(BadInput):
        sign_in.choose_first(gate(), code, NewPassword(PASSWORD), HERE, NOW)


def test_a_folder_that_cannot_be_written_is_one_clear_line(bare, instance_dir):
    (instance_dir / "setup-link").mkdir()

    with pytest.raises(BadSetting, match="setup-link"):
        sign_in.setup_link(gate(), BASE, NOW)


def test_starts_at_the_same_time_agree_on_one_link(bare):
    def make(_):
        with bare.app_context():
            return sign_in.setup_link(gate(), BASE, NOW)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(16)))) == 1


# The brake on guessing


def guess(address: str, now: int) -> bool:
    try:
        guesses.take(address, now)
    except TooManyTries:
        return False
    return True


def test_an_address_has_five_guesses_a_minute(app):
    assert [guess(HERE, NOW + i) for i in range(6)] == [True] * 5 + [False]
    with pytest.raises(TooManyTries) as raised:
        guesses.take(HERE, NOW + 6)
    assert raised.value.retry_after == 54
    assert guess(HERE, NOW + 60)


def test_an_address_has_twenty_guesses_an_hour(app):
    assert [guess(HERE, NOW + 20 * i) for i in range(20)] == [True] * 20

    with pytest.raises(TooManyTries) as raised:
        guesses.take(HERE, NOW + 400)

    assert raised.value.retry_after == 3200
    assert guess(HERE, NOW + 3600)


def test_a_refused_guess_does_not_lengthen_the_wait(app):
    for i in range(50):
        guess(HERE, NOW + i)

    assert guess(HERE, NOW + 60)


def test_somebody_else_is_let_in_while_one_guesses(app):
    for i in range(200):
        guess(HERE, NOW + i % 60)

    assert sign_in.sign_in(gate(), PASSWORD, THERE, NOW + 60) is not None


def test_all_addresses_together_have_a_hundred_an_hour(app):
    done = [guess(f"10.{i // 250}.{i % 250}.1", NOW) for i in range(300)]

    assert sum(done) == guesses.ALL_PER_HOUR
    with pytest.raises(TooManyTries) as raised:
        guesses.take(THERE, NOW + 1)
    assert raised.value.retry_after == 3599


def test_the_host_opens_the_way_again(app):
    for i in range(120):
        guess(f"10.0.{i}.1", NOW)

    sign_in.set_password(gate(), NewPassword(NEW), NOW, "command line")

    assert sign_in.sign_in(gate(), NEW, THERE, NOW) is not None


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "local"),
        ("", "local"),
        ("localhost", "localhost"),
        ("x" * 100, "x" * 64),
    ],
)
def test_guesses_are_counted_by_what_one_subscriber_has(address, key):
    assert guesses.address_key(address) == key


def test_a_clock_that_was_ahead_locks_nobody_out(app):
    for _ in range(guesses.PER_MINUTE):
        guess(HERE, NOW + 400 * 86_400)

    # The first guess afterwards still waits, at most as long as its window; from another address the stale ones are swept away.
    with pytest.raises(TooManyTries) as raised:
        guesses.take(HERE, NOW)
    assert raised.value.retry_after <= 60
    assert guess(THERE, NOW)
    assert guess(HERE, NOW)


def test_right_passwords_use_nothing_up(app):
    for _ in range(50):
        assert sign_in.sign_in(gate(), PASSWORD, HERE, NOW) is not None
    assert failures() == 0


def test_a_burst_of_threads_gets_no_more_guesses(app):
    def one(_):
        with app.app_context():
            return guess(HERE, NOW)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(one, range(64))) == guesses.PER_MINUTE


GUESSER = """
import sys
from quota_web import config, guesses
from quota_web.errors import DatabaseBusy, TooManyTries
from quota_web.factory import create_app
app = create_app(config.load({"QUOTA_INSTANCE_DIR": sys.argv[1], "QUOTA_ACCOUNT_DIR": sys.argv[1]}))
counted = 0
with app.app_context():
    for i in range(100):
        try:
            guesses.take(sys.argv[2], int(sys.argv[3]))
            counted += 1
        except (DatabaseBusy, TooManyTries):
            pass
print(counted)
"""


def test_several_processes_share_the_brake(app, instance_dir):
    def run(_):
        return subprocess.run(
            [sys.executable, "-c", GUESSER, str(instance_dir), HERE, str(NOW)], cwd=PROJECT, capture_output=True, text=True, check=True
        )

    with ThreadPoolExecutor(4) as pool:
        counted = [int(done.stdout) for done in pool.map(run, range(4))]

    assert sum(counted) == guesses.PER_MINUTE


# API tokens


def test_a_token_is_known_by_itself_and_kept_as_a_hash(app, instance_dir):
    name, token = api_tokens.create(" prometheus ", False, NOW, "test")

    found = api_tokens.known(token.reveal(), NOW)

    assert name == "prometheus"
    assert re.fullmatch(r"cq_[\w-]{43}", token.reveal())
    assert found is not None
    assert (found.name, found.can_write) == ("prometheus", False)
    assert token.reveal().encode() not in b"".join(file.read_bytes() for file in instance_dir.glob("quota.sqlite*"))
    assert kinds()[0] == "token_created"


@pytest.mark.parametrize("other", ["", "cq_", "cq_" + "A" * 43, "cq_" + "A" * 44, "x" * 46, "cq_é" + "A" * 42, "cq_" + "A" * 100_000])
def test_any_other_token_is_not(app, other):
    api_tokens.create("prometheus", False, NOW, "test")

    assert api_tokens.known(other, NOW) is None


def test_the_last_use_is_noted_at_most_hourly(app):
    token = api_tokens.create("prometheus", False, NOW, "test")[1].reveal()
    seen = []
    for at in (NOW, NOW + 3599, NOW + 3600):
        api_tokens.known(token, at)
        seen.append(api_tokens.listed()[0].last_used_at)

    assert seen == [NOW, NOW, NOW + 3600]


def test_a_revoked_token_is_worthless_at_once(app):
    token = api_tokens.create("prometheus", True, NOW, "test")[1].reveal()

    assert api_tokens.revoke("prometheus", NOW, "test") == "prometheus"
    assert api_tokens.known(token, NOW) is None
    assert kinds()[0] == "token_revoked"
    with pytest.raises(BadInput, match="no token prometheus"):
        api_tokens.revoke("prometheus", NOW, "test")


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\nb", "prometheus"])
def test_a_token_needs_a_name_of_its_own(app, name):
    api_tokens.create("prometheus", False, NOW, "test")

    with pytest.raises(BadInput) as raised:
        api_tokens.create(name, False, NOW, "test")
    assert raised.value.field == "token_name"


def test_a_database_that_cannot_be_written_still_knows_tokens(app, instance_dir):
    token = api_tokens.create("prometheus", False, NOW, "test")[1].reveal()
    with engine.reading() as conn:
        conn.exec_driver_sql("PRAGMA query_only=ON")
    try:
        assert api_tokens.known(token, NOW) is not None
    finally:
        with engine.reading() as conn:
            conn.exec_driver_sql("PRAGMA query_only=OFF")


# The command line


def run(app, *arguments: str, **more):
    return app.test_cli_runner().invoke(args=["quota", *arguments], **more)


def test_command_sets_the_password_and_voids_the_link(bare, instance_dir):
    code = code_of(sign_in.setup_link(gate(), BASE, NOW))
    before = sign_in.epoch()

    done = run(bare, "password", input=f"{PASSWORD}\n")

    assert (done.exit_code, PASSWORD in done.output) == (0, False)
    assert sign_in.epoch() != before
    assert sign_in.sign_in(gate(), PASSWORD, HERE, NOW) is not None
    assert not (instance_dir / "setup-link").exists()
    with pytest.raises(BadInput):
        sign_in.choose_first(gate(), code, NewPassword(NEW), HERE, NOW)


@pytest.mark.parametrize("typed", ["", "short\n", "x" * 1001])
def test_command_refuses_a_weak_password(app, typed):
    done = run(app, "password", input=typed)

    assert done.exit_code == 1
    assert "characters" in done.output
    assert sign_in.sign_in(gate(), PASSWORD, HERE, NOW) is not None


def test_command_says_that_the_setting_wins(instance_dir):
    app = make_app(instance_dir, QUOTA_PASSWORD="from the environment")

    done = run(app, "password", input=f"{NEW}\n")

    assert done.exit_code == 1
    assert "QUOTA_PASSWORD" in done.output


def test_commands_make_list_and_revoke_tokens(app):
    made = run(app, "token", "create", "nightly", "--write")
    token = made.stdout.strip()

    found = api_tokens.known(token, NOW)
    listed = run(app, "token", "list")
    revoked = run(app, "token", "revoke", "nightly")

    assert found is not None
    assert found.can_write
    assert "nightly  read, write" in listed.output
    assert token not in listed.output
    assert revoked.output == "nightly: revoked\n"
    assert api_tokens.known(token, NOW) is None


def test_command_refuses_a_second_token_of_a_name_and_an_unknown_one(app):
    assert run(app, "token", "create", "nightly").exit_code == 0
    assert run(app, "token", "create", "nightly").exit_code == 1
    assert run(app, "token", "revoke", "weekly").exit_code == 1
