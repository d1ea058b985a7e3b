"""Demo data: believable, reproducible, marked, never asked for, and removable without a trace."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from quota_web import config, store
from quota_web.accounts import account_service
from quota_web.cli import refresh
from quota_web.codex import auth_file
from quota_web.core import clock, event_visibility
from quota_web.core.errors import AccountExists, BadInput
from quota_web.core.quota import CACHE, Status
from quota_web.demo import fill, generate, surprises
from quota_web.demo.generate import Era
from quota_web.demo.personas import PERSONAS, PLAIN
from quota_web.demo.tank import Track
from quota_web.factory import create_app
from quota_web.refresh import context, refresh_service
from quota_web.reports import overview
from quota_web.services import services
from quota_web.store.accounts import MANAGED, Scope
from quota_web.store.models import event
from quota_web.store.rollups import SPANS, gone_row, rollup_row
from quota_web.store.rollups import write as write_series
from quota_web.store.share_links import NewShareLink
from tests.fakes import NOW, FakeCodex, auth_document

DAY = 86_400
ERA = Era(NOW - 40 * DAY, NOW)


@pytest.fixture(scope="module")
def stories():
    return [generate.invent(number, ERA) for number in range(len(PERSONAS))]


def make_app(folder: Path, **settings: str) -> Flask:
    (folder / "account").mkdir(exist_ok=True)
    return create_app(
        config.load(
            {
                "QUOTA_INSTANCE_DIR": str(folder),
                "QUOTA_ACCOUNT_DIR": str(folder / "account"),
                **settings,
            }
        )
    )


@pytest.fixture
def app(instance_dir):
    app = make_app(instance_dir)
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        yield app


def run(app: Flask, *arguments: str):
    return app.test_cli_runner().invoke(args=["quota", *arguments])


def row_count(table) -> int:
    with store.database.reading() as conn:
        return conn.execute(select(func.count()).select_from(table)).scalar_one()


def test_the_same_seed_tells_the_same_story():
    assert generate.invent(3, ERA) == generate.invent(3, ERA)
    assert generate.invent(3, ERA, seed=1) != generate.invent(3, ERA, seed=2)


def test_readings_are_in_order_within_their_time_and_percent(stories):
    for track in (t for s in stories for t in s.tracks):
        assert all(a < b for a, b in zip(track.at, track.at[1:], strict=False))
        assert ERA.start <= track.at[0]
        assert track.at[-1] <= NOW
        assert all(u is None or 0 <= u <= 100 for u in track.used)


def test_windows_only_fall_when_they_reset_as_scheduled_or_by_surprise(stories):
    for number, story in enumerate(stories):
        told = surprises.of(number, ERA.start, ERA.end, PERSONAS[number])
        for track in story.tracks:
            for i in range(1, len(track.at)):
                before, after = track.used[i - 1], track.used[i]
                if before is not None and after is not None and after < before:
                    since, at = track.at[i - 1], track.at[i]
                    is_early = any(since < moment <= at for moment in told.early_at)
                    flaps = any(start <= at < end for start, end in told.flaps)
                    assert at >= (track.resets_at[i - 1] or 0) or is_early or flaps


def test_people_work_on_working_days_and_by_day():
    story = generate.invent(0, Era(NOW - 280 * DAY, NOW))
    five = next(t for t in story.tracks if t.key == "five_hour")
    rises = [
        five.at[i] for i in range(1, len(five.at)) if (five.used[i] or 0) > (five.used[i - 1] or 0)
    ]
    at_weekends = [t for t in rises if (t // DAY + 3) % 7 >= 5]
    at_night = [t for t in rises if t % DAY < 7 * 3600]

    assert len(rises) > 1_000
    assert len(at_weekends) < len(rises) / 7
    assert len(at_night) < len(rises) / 50


def test_accounts_are_of_several_kinds(stories):
    keys = [{t.key for t in s.tracks} for s in stories]

    assert {"monthly"} in keys
    assert {"weekly"} in keys
    assert any("spend" in k for k in keys)
    assert any(k.startswith("model:") for one in keys for k in one)
    assert len({s.facts[-1][1].plan for s in stories}) >= 8
    assert any(s.tracks[0].used[-1] is None for s in stories), "a window that went away"


def test_there_are_failures_gaps_and_exhaustion(stories):
    plain = next(t for t in stories[0].tracks if t.key == "five_hour")

    assert {run.fault.code for s in stories for run in s.runs if run.fault} >= {
        "unreachable",
        "http",
        "unauthorized",
    }
    assert max(b - a for a, b in zip(plain.at, plain.at[1:], strict=False)) > 2 * 3600
    assert any(facts.limit_reached for s in stories for _, facts in s.facts)


def test_the_newest_reading_is_fresh(stories):
    assert NOW - stories[0].tracks[0].at[-1] <= generate.END_MARGIN


def test_bulk_rows_are_what_reading_by_reading_would_have_written(app):
    story = next(
        s
        for s in (generate.invent(n, Era(NOW - 9 * DAY, NOW)) for n in range(len(PERSONAS)))
        if s.tracks[0].used[-1] is None
    )
    with store.database.transaction() as tx:
        fill.write(tx, story)
        written = [
            tuple(r)
            for r in tx.execute(
                select(store.models.rollup).order_by(*store.models.rollup.primary_key.columns)
            )
        ]
        tx.execute(store.models.rollup.delete())
        tx.execute(store.models.reading.delete())
        windows = {
            r.key: r.id
            for r in tx.execute(
                select(store.models.limit_window.c.id, store.models.limit_window.c.key)
            )
        }
        for track in story.tracks:
            one_by_one(tx, windows[track.key], track)
        expected = [
            tuple(r)
            for r in tx.execute(
                select(store.models.rollup).order_by(*store.models.rollup.primary_key.columns)
            )
        ]

    assert len(written) > 100
    assert written == expected


def one_by_one(tx, window_id: int, track: Track) -> None:
    before = None
    for at, used, resets_at in zip(track.at, track.used, track.resets_at, strict=True):
        if used is None:
            gone = [gone_row(s, window_id, at) for s in SPANS]
            write_series(tx, [], [], gone)
        else:
            rise = max(0.0, used - before) if before is not None else 0.0
            reading = {
                "window_id": window_id,
                "taken_at": at,
                "used_percent": used,
                "resets_at": resets_at,
                "flags": 0,
            }
            write_series(
                tx,
                [reading],
                [rollup_row(s, window_id, at, used, resets_at, rise) for s in SPANS],
                [],
            )
        before = used


def test_the_command_fills_an_empty_database(app):
    result = run(app, "demo", "--accounts", "13", "--days", "3")

    assert result.exit_code == 0, result.output
    assert result.output.startswith("Invented 13 accounts with ")
    assert "--remove" in result.output
    seen = overview.load_overview(Scope(), NOW, 3600)
    assert {r.account.name for r in seen.accounts} >= {"alice", "bob", "mallory"}
    assert any(r.block.blocked for r in seen.accounts)
    assert {r.status for r in seen.accounts} >= {
        Status.OK,
        Status.EXPIRED,
        Status.PAUSED,
        Status.UNREACHABLE,
    }
    assert fill.is_here()


def test_its_ledger_has_resets_of_every_kind_one_that_was_none_and_a_sign_in_that_ended(app):
    fill.fill(9, 60, NOW)
    with store.database.reading() as conn:
        rows = conn.execute(select(event.c.kind, event.c.withdrawn_at)).all()
    standing = {kind for kind, withdrawn_at in rows if withdrawn_at is None}

    assert {*event_visibility.RESETS, "flapping", "credit_used"} <= standing
    assert {"failing_since", "fine_again", "sign_in_ended", "account_added"} <= standing
    assert any(kind == "reset_early" and withdrawn_at for kind, withdrawn_at in rows)


def test_latest_values_are_those_of_the_newest_reading(app):
    fill.fill(2, 3, NOW)
    with store.database.reading() as conn:
        r, w = store.models.reading.c, store.models.limit_window.c
        newest = {
            row.window_id: row
            for row in conn.execute(select(store.models.reading).order_by(r.taken_at))
        }
        for window in conn.execute(select(store.models.limit_window).where(w.gone_at.is_(None))):
            row = newest[window.id]
            assert (window.used_percent, window.resets_at, window.taken_at) == (
                row.used_percent,
                row.resets_at,
                row.taken_at,
            )


def test_a_database_that_is_not_empty_is_refused(app):
    with store.database.transaction() as tx:
        store.accounts.add(tx, "mine", MANAGED, NOW)
    result = run(app, "demo")

    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "not empty" in result.output
    assert not fill.is_here()


def test_a_second_filling_is_refused(app):
    fill.fill(1, 1, NOW)

    with pytest.raises(BadInput, match="already"):
        fill.fill(1, 1, NOW)


@pytest.mark.parametrize(
    "option",
    [
        ("--accounts", "0"),
        ("--accounts", "201"),
        ("--days", "0"),
        ("--days", "731"),
        ("--days", "x"),
    ],
)
def test_bounds_are_wrong_usage(app, option):
    assert run(app, "demo", *option).exit_code == 2


def test_nothing_is_ever_sent_for_demo_accounts(app, capfd):
    fill.fill(12, 2, NOW)
    with FakeCodex() as codex:
        settings = {"QUOTA_USAGE_URL": codex.url}
        asking = make_app(Path(app.instance_path), **settings)
        with asking.app_context():
            assert refresh.run_refresh(services(), refresh.RefreshOptions(Scope(), force=True)) in (
                0,
                3,
            )
            refresh_context = context.make_context(services())
            assert list(refresh_service.refresh_due(refresh_context, Scope())) == []
            assert refresh_service.not_joined(Scope(), "", NOW + 3600) == []
        assert codex.seen == []
    out, err = capfd.readouterr()
    assert "Nothing is sent for demo accounts" in err
    assert "alice" in out
    assert " cache" in out


def test_a_refresh_changes_no_demo_status(app):
    fill.fill(12, 2, NOW)
    before = {
        r.account.name: r.account.last_status
        for r in overview.load_overview(Scope(), NOW, 3600).accounts
    }
    results = list(
        refresh_service.refresh(
            context.make_context(services()), refresh_service.select(Scope())[0]
        )
    )

    assert {
        r.account.name: r.account.last_status
        for r in overview.load_overview(Scope(), NOW, 3600).accounts
    } == before
    assert {r.source for r in results if r.status is Status.OK} == {CACHE}


def test_demo_accounts_are_shown_whatever_folder_is_followed(app):
    fill.fill(1, 1, NOW)

    assert len(overview.load_overview(Scope(folder=Path("/somewhere")), NOW, 3600).accounts) == 1


def test_demo_accounts_take_no_credentials(app):
    fill.fill(1, 1, NOW)
    credentials = auth_file.parse(auth_document())
    with pytest.raises(AccountExists, match="invented"):
        account_service.add(services().cipher, "alice", credentials, NOW, "test")
    with pytest.raises(BadInput, match="invented"):
        account_service.edit(services().cipher, "alice", "alice", credentials, NOW, "test")


def test_removing_leaves_nothing(app):
    tables = [t for t in store.models.metadata.sorted_tables if t.name != "site_state"]
    fill.fill(5, 2, NOW)
    with store.database.transaction() as tx:
        shared = NewShareLink("calendar", store.accounts.list_all(tx)[0].id, False, None)
        store.share_links.add(tx, "a" * 64, shared, NOW)
    result = run(app, "demo", "--remove")

    assert (result.exit_code, result.output) == (0, "The demo data is gone.\n")
    assert {t.name: row_count(t) for t in tables if row_count(t)} == {}
    assert not fill.is_here()


def test_removing_keeps_other_accounts(app):
    fill.fill(2, 1, NOW)
    with store.database.transaction() as tx:
        mine = store.accounts.add(tx, "mine", MANAGED, NOW)
        write_series(
            tx,
            [{"window_id": 999, "taken_at": NOW, "used_percent": 1, "resets_at": None, "flags": 0}],
            [],
            [],
        )
    fill.remove(NOW)

    assert (row_count(store.models.account), row_count(store.models.reading)) == (1, 1)
    with store.database.reading() as conn:
        assert store.accounts.get_by_id(conn, mine) is not None


def test_removing_without_demo_data_says_so(app):
    result = run(app, "demo", "--remove")

    assert (result.exit_code, result.output) == (1, "there is no demo data here\n")


def test_filling_and_removing_change_the_version(app):
    versions = [overview.version()]
    fill.fill(1, 1, NOW)
    versions.append(overview.version())
    fill.remove(NOW)
    versions.append(overview.version())

    assert len(set(versions)) == 3


def test_every_minute_means_every_minute():
    story = generate.invent(0, Era(NOW - DAY, NOW, every_s=60), persona=PLAIN)

    assert abs(len(story.tracks[0].at) - 1_440) <= 3


def test_banked_resets_have_an_end_each(app):
    fill.fill(len(PERSONAS), 10, NOW)
    seen = overview.load_overview(Scope(), NOW, 3_600).accounts
    counts = {view.account.name: (view.facts.reset_credits or 0) for view in seen if view.facts}
    ends = {view.account.name: [one.expires_at for one in view.banked] for view in seen}

    assert any(counts.values())
    assert {name: len(found) for name, found in ends.items()} == counts
    assert all(end is not None and end > NOW for found in ends.values() for end in found)
