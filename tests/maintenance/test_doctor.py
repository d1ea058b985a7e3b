"""The doctor: every thing that can be wrong has a verdict, a line and an advice, and a doctor
changes nothing.
"""

import time
from pathlib import Path

import pytest
from sqlalchemy import text

from quota_web import store
from quota_web.core import clock
from quota_web.core.secret import Secret
from quota_web.maintenance import doctor
from quota_web.maintenance.findings import Level
from quota_web.services import services
from tests.fakes import FakeCodex, FakeResponse
from tests.operations import CANARY, add_account, make_app, record, run


@pytest.fixture
def codex():
    with FakeCodex() as fake:
        fake.default = FakeResponse(
            status=401, body={"detail": "no token"}, headers={"Date": _http_date(time.time())}
        )
        yield fake


def _http_date(at):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(at))


@pytest.fixture
def app(instance_dir, codex):
    app = make_app(instance_dir, QUOTA_USAGE_URL=codex.url)
    with app.app_context():
        services().ready()
        add_account("alice")
        yield app
        services().client.close()
        store.database.forget_troubles()


def examined(**changes):
    present = services()
    patient = doctor.DoctorContext(
        present.settings.with_options(**changes),
        present.cipher,
        lambda: present.client,
        clock.now(),
    )
    return list(doctor.diagnose(patient))


def found(what, **changes):
    return [f for f in examined(**changes) if f.what == what]


def worst(what, **changes):
    return max((f for f in found(what, **changes)), key=lambda f: list(Level).index(f.verdict))


def test_a_healthy_installation_has_nothing_bad(app, codex):
    result = run(app, "doctor")

    assert result.exit_code == 0
    assert "bad " not in result.stdout
    for what in (
        "settings",
        "instance folder",
        "database",
        "key",
        "account folder",
        "clock",
        "upstream",
    ):
        assert what in result.stdout
    # Asked without any token.
    assert [seen.headers.get("authorization") for seen in codex.seen] == [None]
    assert CANARY not in result.output


def test_something_bad_is_exit_status_4_with_an_advice(app, codex):
    codex.default = FakeResponse(drop="accept")

    result = run(app, "doctor")

    assert result.exit_code == 4
    assert "\n     → check the network" in result.stdout


def test_looking_changes_nothing(tmp_path, codex):
    app = make_app(tmp_path / "nothing", QUOTA_USAGE_URL=codex.url)
    with app.app_context():
        assert run(app, "doctor").exit_code == 0
        assert not (tmp_path / "nothing").exists()
        services().client.close()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"auth": "off"}, "everybody"),
        ({"secret_key_old": Secret("x" * 16)}, "QUOTA_SECRET_KEY_OLD"),
        ({"usage_url": "https://example.com/"}, "USAGE_URL"),
    ],
)
def test_settings_that_are_rarely_meant_are_named(app, changes, words):
    assert any(
        words in f.text and f.verdict is Level.WARN and f.advice
        for f in found("settings", **changes)
    )


def test_an_open_instance_folder_is_named(app, instance_dir):
    instance_dir.chmod(0o755)

    assert "chmod 700" in worst("instance folder").advice


def test_little_room_is_named(app, monkeypatch):
    monkeypatch.setattr(store.filesystem, "free_bytes", lambda folder: 10 * 1024 * 1024)

    finding = worst("instance folder")
    assert (finding.verdict, "10.0 MiB" in finding.text) == (Level.WARN, True)


def test_a_damaged_database_is_bad_and_the_way_back_is_told(app, instance_dir):
    record(1, clock.now() - 60)
    leave_alone(app)
    damage(instance_dir / "quota.sqlite")

    finding = worst("database")

    assert finding.verdict is Level.BAD
    assert "scripts/quota restore" in finding.text + finding.advice


def leave_alone(app):
    with store.database.driver() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.database.forget_troubles()


def damage(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    for page in range(4, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    file.write_bytes(raw)


def test_a_database_of_a_later_program_is_bad(app):
    with store.database.transaction() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    assert "9999" in worst("database").text


def test_a_broken_reference_is_bad(app):
    with store.database.driver() as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("UPDATE credential SET account_id = 77")
        connection.execute("PRAGMA foreign_keys=ON")

    assert "credential" in worst("database").text


def test_a_key_that_is_gone_or_another_is_bad(app, instance_dir):
    key = instance_dir / "secret.key"
    kept = key.read_text()
    key.write_text("another key that opens nothing\n")
    assert "1 account(s)" in worst("key").text
    key.unlink()
    assert "is not there" in worst("key").text

    key.write_text(f"a new key in front\n{kept}")
    key.chmod(0o600)
    assert (worst("key").verdict, "rotate-key" in worst("key").advice) == (Level.WARN, True)
    key.chmod(0o644)
    assert (worst("key").verdict, "chmod 600" in worst("key").advice) == (Level.BAD, True)
    key.write_text("short\n")
    assert worst("key").verdict is Level.BAD


def test_the_account_folder_is_looked_at(app, tmp_path):
    folder = tmp_path / "account"
    (folder / "alice.auth.json").write_text("{}")
    assert "1 file(s)" in worst("account folder").text
    assert worst("account folder", account_dir=tmp_path / "none").verdict is Level.BAD
    assert (
        worst("account folder", account_dir=tmp_path / "none", account_dir_named=False).verdict
        is Level.OK
    )
    assert worst("account folder", account_dir=folder / "alice.auth.json").verdict is Level.BAD


def test_a_clock_before_this_program_or_behind_its_own_readings_is_named(app):
    record(1, clock.now() - 60)
    with clock.frozen(0):
        assert worst("clock").verdict is Level.BAD
    with clock.frozen(clock.now() - 86_400):
        assert any("gone back" in f.advice for f in found("clock"))


@pytest.mark.parametrize(
    ("off", "verdict"), [(5, Level.OK), (120, Level.WARN), (-4_000, Level.BAD)]
)
def test_the_clock_is_held_beside_the_upstream_s(app, codex, off, verdict):
    codex.default = FakeResponse(
        status=401, body={}, headers={"Date": _http_date(time.time() + off)}
    )

    assert worst("clock").verdict is verdict


def test_the_clock_is_held_beside_that_of_a_database_server(instance_dir, codex, postgres_url):
    with postgres_url() as url:
        app = make_app(instance_dir, QUOTA_USAGE_URL=codex.url, QUOTA_DATABASE_URL=url)
        with app.app_context():
            services().ready()
            assert worst("clock").verdict is Level.OK
            with clock.frozen(clock.now() + 45):
                off = found("clock")[0]
            services().client.close()
            store.database.forget_troubles()

    assert off.verdict is Level.WARN
    assert "s ahead of the database server's" in off.text


def test_a_blocked_address_is_told_from_a_refused_token(app, codex):
    codex.default = FakeResponse(
        status=403,
        raw=b"<html><title>Just a moment...</title>cloudflare</html>",
        headers={"Server": "cloudflare", "Content-Type": "text/html"},
    )

    assert (worst("upstream").verdict, "address" in worst("upstream").advice) == (Level.BAD, True)


def test_the_real_server_is_named(instance_dir, postgres_url, codex):
    with postgres_url() as url:
        app = make_app(instance_dir, QUOTA_DATABASE_URL=url, QUOTA_USAGE_URL=codex.url)
        with app.app_context():
            assert worst("database").text.startswith("PostgreSQL 1")
            services().client.close()


def test_a_server_that_is_gone_is_bad_in_one_line(instance_dir, codex):
    app = make_app(
        instance_dir,
        QUOTA_DATABASE_URL="postgresql://quota:canary@127.0.0.1:1/none",
        QUOTA_USAGE_URL=codex.url,
    )
    with app.app_context():
        finding = worst("database")
        assert (finding.verdict, "\n" in finding.text, "canary" in finding.text) == (
            Level.BAD,
            False,
            False,
        )
        services().client.close()


def test_the_chart_library_is_looked_at(app, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "PROJECT", tmp_path)
    monkeypatch.setattr(doctor, "PACKAGE", tmp_path / "quota_web")
    assert (worst("chart library").verdict, "assets.py" in worst("chart library").advice) == (
        Level.WARN,
        True,
    )

    vendor = tmp_path / "quota_web" / "web" / "static" / "vendor"
    vendor.mkdir(parents=True)
    (vendor / "some.js").write_text("ours")
    assert worst("chart library").verdict is Level.OK

    (tmp_path / "assets").mkdir()
    manifest = tmp_path / "assets" / "manifest.json"
    manifest.write_text('{"some.js": {"sha256": "0"}}')
    assert "not as released" in worst("chart library").text
    manifest.write_text('{"axe.min.js": {"sha256": "0", "for": "tests"}}')
    assert worst("chart library").verdict is Level.OK, "what only tests need is nobody's trouble"
    manifest.write_text('{"other.js": {"sha256": "0"}}')
    assert "other.js is not there" in worst("chart library").text


def test_rebuild_says_what_it_did(app):
    record(1, clock.now() - 60)

    assert (
        "Rebuilt 2 windows from 2 readings; latest values of 0 were wrong."
        in run(app, "doctor", "--rebuild").stdout
    )
