"""The schema: made at first use, brought up to date without losing a row, equal to its models, and
refused where it cannot be used.
"""

import ast
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from quota_web import store
from quota_web.core.checkout import MIGRATIONS
from quota_web.core.errors import BadDatabase, BadSetting, DatabaseTooNew, KeyMissing
from quota_web.services import Services, services
from tests.installation import Installation, open_installation

SERIES = {"reading", "rollup", "account_fact", "attempt", "forecast"}


def migrate(installation: Installation, *arguments: str) -> str:
    """`flask db …` in this process; its output."""
    ran = installation.app.test_cli_runner().invoke(args=["db", *arguments])
    assert ran.exit_code == 0, ran.output
    return ran.output


def fill(installation: Installation) -> None:
    """Three rows in each table that the present revision has, parents before children; sealed ones
    with their key.

    Columns of later revisions are left out.
    """
    assert installation.services.cipher.key_id
    with store.database.transaction() as tx:
        there = set(
            tx.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars()
        )
        for table in store.models.metadata.sorted_tables:
            if table.name not in there or table.name == "site_state":
                continue
            known = {column["name"] for column in inspect(tx).get_columns(table.name)}
            columns = [c for c in table.columns if c.name in known]
            for number in (1, 2, 3):
                values = {c.name: value_for(c, number) for c in columns}
                tx.execute(table.insert().values(values))


def value_for(column, number):
    if column.name in ("origin", "status"):
        return {"origin": "managed", "status": "ok"}[column.name]
    kind = column.type.python_type
    if kind is bytes:
        return b"sealed"
    return kind(number) if kind is not str else f"text {number}"


def counts(installation: Installation) -> dict[str, int]:
    names = [
        name for (name,) in installation.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    return {
        name: installation.rows(f'SELECT count(*) FROM "{name}"')[0][0]
        for name in names
        if name != "alembic_version"
    }


def digest(installation: Installation) -> list[tuple[str, str]]:
    rows = installation.rows(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
    )
    return [(name, " ".join(sql.split())) for name, sql in rows]


def test_head_and_known_are_those_of_the_folder():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)

    assert scripts.get_current_head() == store.schema.HEAD
    assert tuple(s.revision for s in reversed(list(scripts.walk_revisions()))) == store.schema.KNOWN


def test_every_migration_has_a_slug_and_a_way_back():
    for path in (MIGRATIONS / "versions").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert len(path.stem.split("_", 1)) == 2
        assert {"upgrade", "downgrade"} <= functions.keys()
        assert not isinstance(functions["downgrade"].body[0], ast.Pass)


def test_no_series_table_is_deleted_along_with_its_account():
    # A migration that rebuilds `account` drops it on the way; a cascade would empty the history.
    assert [
        fk
        for table in store.models.metadata.tables.values()
        for fk in table.foreign_keys
        if fk.ondelete
    ] == []


def test_the_models_and_the_migrations_agree(installation):
    migrate(installation, "check")
    installation.execute("ALTER TABLE account ADD COLUMN odd INTEGER")
    assert installation.app.test_cli_runner().invoke(args=["db", "check"]).exit_code != 0


def test_an_empty_folder_becomes_a_database_that_only_its_owner_reads(tmp_path):
    with open_installation(tmp_path) as installation:
        installation.file("alice")
        installation.follow()
        assert store.schema.version() == store.schema.HEAD
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in [installation.instance, *installation.instance.iterdir()]
        }

    assert modes.pop("instance") == 0o700
    assert {"quota.sqlite", "secret.key"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_an_empty_file_becomes_a_database(tmp_path):
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "quota.sqlite").touch()
    with open_installation(tmp_path):
        assert store.schema.version() == store.schema.HEAD


def test_the_tables_are_what_sqlite_was_told(installation):
    made = dict(digest(installation))

    assert {
        name
        for name in made
        if made[name].startswith("CREATE TABLE") and made[name].endswith("WITHOUT ROWID")
    } == SERIES
    assert "PRIMARY KEY (window_id, taken_at)" in made["reading"]
    assert "PRIMARY KEY (span, window_id, slot)" in made["rollup"]
    assert "UNIQUE" in made["uq_limit_window_account_id_key"]
    assert "UNIQUE (name_key)" in made["account"]
    assert {
        "ix_account_next_due_at",
        "ix_account_chatgpt_account_id",
        "ix_credential_refresh_fp",
    } <= made.keys()
    assert not any("CASCADE" in sql.upper() for sql in made.values())
    assert made["snapshot"] == " ".join(store.models.SNAPSHOT_VIEW.split())


def test_widths_are_those_of_the_models(installation):
    with store.database.reading() as conn:
        made = {
            t: {c["name"]: str(c["type"]) for c in inspect(conn).get_columns(t)}
            for t in store.models.metadata.tables
        }

    wanted = {
        t.name: {c.name: str(c.type.compile(store.database.bound().dialect)) for c in t.columns}
        for t in store.models.metadata.sorted_tables
    }
    assert made == wanted


@pytest.mark.parametrize("revision", store.schema.KNOWN[:-1])
def test_a_filled_database_of_every_older_revision_comes_up_with_all_its_rows(
    tmp_path, made_instance, revision
):
    with open_installation(tmp_path, template=made_instance) as installation:
        fresh = digest(installation)
        migrate(installation, "downgrade", revision)
        assert store.schema.version() == revision
        fill(installation)
        before = counts(installation)

        Services(installation.services.settings).ready()

        assert store.schema.version() == store.schema.HEAD
        assert {
            name: number for name, number in counts(installation).items() if name in before
        } == before
        assert digest(installation) == fresh
        assert installation.rows("PRAGMA foreign_key_check") == []
        assert installation.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_copy_is_kept_of_the_database_before_a_migration(tmp_path, made_instance):
    with open_installation(tmp_path, template=made_instance) as installation:
        migrate(installation, "downgrade", "0002")
        fill(installation)
        Services(installation.services.settings).ready()

        [copy] = installation.instance.glob("quota.sqlite.before-*")
        kept = sqlite3.connect(copy)
        assert kept.execute("SELECT version_num FROM alembic_version").fetchone() == ("0002",)
        assert kept.execute("SELECT count(*) FROM reading").fetchone() == (3,)
        kept.close()
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_no_more_than_three_copies_are_kept(tmp_path, made_instance):
    with open_installation(tmp_path, template=made_instance) as installation:
        for number in range(4):
            (installation.instance / f"quota.sqlite.before-000{number}-from-x").touch()
        migrate(installation, "downgrade", "0002")
        Services(installation.services.settings).ready()

        assert len(list(installation.instance.glob("quota.sqlite.before-*"))) == 3
        assert list(installation.instance.glob("quota.sqlite.before-*from-0002"))


def test_below_the_cycles_nothing_that_was_judged_stays(tmp_path, made_instance):
    with open_installation(tmp_path, template=made_instance) as installation:
        columns = "INSERT INTO event (at, kind, actor, rule) VALUES "
        installation.execute(columns + "(1, 'reset_early', '', 1), (2, 'password_set', '', NULL)")
        installation.execute("DELETE FROM setting")
        marks = "('judged_by_rules', '1'), ('other', 'x')"
        installation.execute(f"INSERT INTO setting (key, value) VALUES {marks}")
        migrate(installation, "downgrade", "0006")

        assert installation.rows("SELECT key FROM setting") == [("other",)]
        kinds = installation.rows("SELECT kind FROM event WHERE at < 3")
        assert kinds == [("password_set",)]


def test_the_schema_goes_down_and_up_again_to_the_same(tmp_path, made_instance):
    with open_installation(tmp_path, template=made_instance) as installation:
        before = digest(installation)
        fill(installation)
        kept = counts(installation)["account"]
        migrate(installation, "downgrade", "0001")
        migrate(installation, "upgrade")

        assert digest(installation) == before
        assert counts(installation)["account"] == kept


def test_flask_db_migrates_with_foreign_keys_off(tmp_path, made_instance):
    with (
        open_installation(tmp_path, template=made_instance) as installation,
        store.schema.migrating() as conn,
    ):
        assert conn.execute(text("PRAGMA foreign_keys")).scalar() == 0
        assert installation.rows("PRAGMA foreign_keys") == [(1,)]


def test_a_migration_that_breaks_a_reference_is_refused(installation):
    def break_one() -> None:
        with store.schema.migrating() as conn, conn.begin():
            columns = "account_id, access_sealed, access_fp, fedramp, key_id, version, updated_at"
            conn.execute(
                text(f"INSERT INTO credential ({columns}) VALUES (404, x'00', 'f', 0, 'k', 1, 1)")
            )
            store.schema.check_references(conn)

    with pytest.raises(BadDatabase, match="would break a reference in table credential"):
        break_one()

    assert installation.rows("SELECT count(*) FROM credential") == [(0,)]


def test_a_database_of_a_later_version_is_refused_untouched(installation):
    installation.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(DatabaseTooNew, match="at version 9999, this program knows"):
        Services(installation.services.settings).ready()

    assert store.schema.version() == "9999"


def test_a_key_that_is_missing_beside_sealed_tokens_is_not_made_anew(installation):
    installation.file("alice")
    installation.follow()
    key = installation.instance / "secret.key"
    key.unlink()

    with pytest.raises(KeyMissing, match=r"secret\.key is missing"):
        Services(installation.services.settings).ready()

    assert not key.exists()


def test_a_key_that_was_given_another_way_is_enough(installation):
    installation.file("alice")
    installation.follow()
    (installation.instance / "secret.key").unlink()

    with installation.another(QUOTA_SECRET_KEY="x" * 20).app_context():
        services().ready()
        store.database.bound().dispose()


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "quota.sqlite").write_bytes(b"this is no database at all\n" * 200)

    with pytest.raises(BadDatabase, match=r"instance/quota\.sqlite"), open_installation(tmp_path):
        pass

    assert (tmp_path / "instance" / "quota.sqlite").read_bytes().startswith(b"this is no database")


@pytest.mark.parametrize("place", ["a file", "below a file"])
def test_an_instance_folder_that_cannot_be_is_a_bad_setting(tmp_path, place):
    (tmp_path / "in the way").touch()
    instance = tmp_path / "in the way" / ("" if place == "a file" else "deeper")

    with pytest.raises(BadSetting), open_installation(tmp_path, QUOTA_INSTANCE_DIR=str(instance)):
        pass


def test_nothing_is_opened_before_it_is_needed(tmp_path):
    installation = Installation(tmp_path)
    with installation.app.app_context():
        assert installation.services.scope.managed

    assert not installation.instance.exists()


FIRST_USE = """
from quota_web.factory import create_app
from quota_web.services import services

with create_app().app_context():
    services().ready()
    services().cipher.key_id
"""


@pytest.mark.parametrize("start", ["fresh", "older"])
def test_four_processes_may_start_at_once(tmp_path, made_instance, start):
    if start == "older":
        shutil.copytree(made_instance, tmp_path / "instance")
        with open_installation(tmp_path) as installation:
            migrate(installation, "downgrade", "0001")
    installation = Installation(tmp_path)
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST_USE],
            env=installation.process_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(4)
    ]
    outputs = [process.communicate(timeout=60)[0].decode() for process in starting]

    assert outputs == [""] * 4
    assert [process.returncode for process in starting] == [0] * 4
    with open_installation(tmp_path):
        assert store.schema.version() == store.schema.HEAD
    assert Path(tmp_path, "instance", "secret.key").stat().st_size > 16
