"""What is said of all accounts together: made in the pass, stored in one row, told at all doors."""

import json
import re
from dataclasses import replace
from datetime import UTC

import pytest

from quota_web import store
from quota_web.accounts import account_service
from quota_web.core.language import use_language
from quota_web.foresight import forecast_pass
from quota_web.foresight.chance import shortfall_chance
from quota_web.reports import metrics, outlook, outlook_json, overview
from quota_web.reports.pool_words import pool_in_words
from quota_web.store.forecasts import StoredChoice, StoredPool
from tests.fakes import NOW, FakeResponse, usage_body
from tests.fillings import MONTH

MINUTE, HOUR, DAY, WEEK = 60, 3_600, 86_400, 604_800
pytestmark = pytest.mark.usefixtures("database")


def run(installation, now=NOW):
    installation.now = now
    return forecast_pass.run(now, HOUR, None)


def seen(installation, now=NOW):
    return overview.load_overview(installation.scope, now, HOUR)


def read(installation, codex, now=NOW, **answers):
    """One answer of each account: five-hour, weekly, and the plan."""
    installation.now = now
    for name, (five, weekly, plan) in answers.items():
        installation.file(name)
        codex.answers(
            f"acct-{name}", FakeResponse(body=usage_body(five, weekly, plan=plan, at=now))
        )
    installation.refresh(force=True)
    run(installation, now)


def entry(installation, now=NOW):
    return outlook_json.pool_entry(seen(installation, now))


# which accounts


def test_what_is_left_of_plans_of_several_sizes_is_added_in_percents_of_a_plus_week(
    installation, codex
):
    read(installation, codex, alice=(12, 40, "plus"), bob=(0, 10, "prolite"))

    said = entry(installation)
    assert (said["accounts"], said["left_units"], said["full_units"]) == (2, 60 + 450, 600)
    assert (said["shortfall_probability"], said["shortfall_between"]) == (None, None)
    assert said["horizon"] == "2026-11-28T12:00:00Z"


def test_an_unknown_plan_counts_like_plus_and_is_named(installation, codex):
    read(installation, codex, alice=(12, 40, "plus"), bob=(0, 10, "galaxy"))

    said = entry(installation)
    assert (said["full_units"], said["counted_like_plus"]) == (200, ["bob"])


def test_an_account_without_a_week_or_with_a_failed_answer_is_left_out_by_name(installation, codex):
    codex.answers("acct-dave", FakeResponse(status=500))
    installation.file("dave")
    read(
        installation,
        codex,
        alice=(12, 40, "plus"),
        bob=(0, 10, "plus"),
        carol=(5, None, "plus"),
    )

    said = entry(installation)
    assert (said["accounts"], said["left_out"]) == (2, ["carol", "dave"])


def test_with_one_account_there_is_nothing_to_add_up(installation, codex):
    read(installation, codex, alice=(12, 40, "plus"))

    assert entry(installation) is None


def test_a_paused_account_is_neither_in_nor_left_out(installation, codex):
    read(installation, codex, alice=(1, 40, "plus"), bob=(1, 10, "plus"), carol=(1, 1, "plus"))
    account_service.pause("carol", NOW, "test")
    assert entry(installation) is None

    run(installation, NOW + MINUTE)
    said = entry(installation, NOW + MINUTE)
    assert (said["accounts"], said["left_units"], said["left_out"]) == (2, 150, [])


def test_what_became_unknown_since_is_said_no_more(installation, codex):
    read(installation, codex, alice=(12, 40, "plus"), bob=(0, 10, "plus"))

    assert entry(installation, NOW + DAY) is None


def test_fewer_accounts_than_are_added_up_show_no_sum(installation, codex):
    read(installation, codex, alice=(12, 40, "plus"), bob=(0, 10, "plus"))
    whole = seen(installation)

    assert outlook.pool_of(whole) is not None
    assert outlook.pool_of(whole.only(whole.accounts[:1])) is None


# when it is made


def test_it_is_made_again_after_a_quarter_of_an_hour_or_with_other_accounts(installation, codex):
    def made_at():
        pool = outlook.pool_of(seen(installation, installation.now))
        return pool and pool.made_at - NOW

    read(installation, codex, alice=(12, 40, "plus"), bob=(0, 10, "plus"))
    read(installation, codex, NOW + 14 * MINUTE, alice=(18, 42, "plus"), bob=(0, 10, "plus"))
    assert made_at() == 0
    read(installation, codex, NOW + 15 * MINUTE, alice=(19, 42, "plus"), bob=(0, 10, "plus"))
    assert made_at() == 15 * MINUTE
    read(installation, codex, NOW + 16 * MINUTE, carol=(0, 10, "plus"))
    assert made_at() == 16 * MINUTE


def test_a_window_whose_reset_has_just_passed_counts_as_full(installation, codex):
    read(installation, codex, alice=(12, 40, "plus"), bob=(0, 10, "plus"))
    installation.execute("UPDATE limit_window SET resets_at = :at", at=NOW + 15 * MINUTE)

    run(installation, NOW + 16 * MINUTE)

    assert entry(installation, NOW + 16 * MINUTE)["left_units"] == 200


# every door


@MONTH
def test_page_api_metrics_and_command_say_the_same(installation, browser):
    said = json.loads(installation.run("forecast", "--json").stdout)["pool"]
    figures = metrics.page(installation.scope, NOW, HOUR)[0].decode()

    assert said == entry(installation)
    assert 0 < said["shortfall_probability"] < 1
    assert f"codex_quota_pool_left_units {said['left_units']}" in figures
    assert "codex_quota_pool_shortfall_probability 0." in figures
    zone = installation.services.settings.timezone
    last, words = (
        installation.run("forecast").stdout.splitlines()[-1],
        pool_in_words(seen(installation), NOW, zone),
    )
    assert words is not None
    assert last == f"pool: {words.line}"
    assert not installation.run("forecast", "alice").stdout.splitlines()[-1].startswith("pool")
    assert told(browser) == (last, words.note)


def test_the_page_is_silent_where_nothing_is_said_of_all(installation, codex, browser):
    read(installation, codex, alice=(12, 40, "plus"))
    assert ("Comes back" in browser.get("/").text, told(browser)) == (True, None)

    read(installation, codex, bob=(0, 10, "plus"))
    assert told(browser)[0] == "pool: 1.5 of 2 weeks left"


def told(browser):
    """What the dashboard says of the pool, and its note; None where it is silent."""
    found = re.search(r'<p class="pool soft" title="([^"]+)">([^<]+)</p>', browser.get("/").text)
    return found and (found[2], found[1])


# words


def words(installation, language=None, now=NOW, **changes):
    pool = StoredPool(NOW, (1, 2), 410.0, 800.0, WEEK)
    with store.database.transaction() as tx:
        choice = StoredChoice(NOW, (), replace(pool, **changes))
        store.forecasts.save_choice(tx, choice)
    with use_language(language):
        return pool_in_words(seen(installation), now, UTC)


@pytest.fixture
def two(installation, codex):
    read(installation, codex, alice=(12, 40, "plus"), bob=(0, 10, "plus"))
    return installation


def test_too_little_known_says_the_sum_alone(two):
    assert words(two).line == "4.1 of 8 weeks left"


def test_a_near_shortfall_names_a_part_of_the_day_and_a_far_one_a_day(two):
    near = words(two, shortfall_probability=0.6, shortfall_in=(9.0 * HOUR, None))
    far = words(two, shortfall_probability=0.41, shortfall_in=(2.0 * DAY, None))

    assert near.outlook == "enough until Saturday evening"
    assert far.line == ("4.1 of 8 weeks left · enough until Monday · runs dry within a week: 40 %")


def test_a_shortfall_within_hours_names_no_time(two):
    said = words(two, shortfall_probability=0.9, shortfall_in=(1.0 * HOUR, 9.0 * HOUR))
    assert said.outlook == "may run dry within hours"


def test_none_usable_now_and_nothing_to_fear(two):
    empty = words(two, left_units=0.0, shortfall_probability=1.0, shortfall_in=(0.0, 0.0))
    safe = words(two, shortfall_probability=0.04)

    assert empty.line == "0 of 8 weeks left · none can be used now"
    assert safe.line == "4.1 of 8 weeks left · enough for a week"
    # As a pool says that is nearly idle: no course of its past runs out.
    assert words(two, shortfall_probability=shortfall_chance(0.0)).line == safe.line


def test_the_note_says_what_is_added_up(two):
    assert words(two, left_out=(1,), assumed=(2,)).note == (
        "A week is that of a Plus account; larger plans count as several."
        " Left out, since it is not known what is left: alice."
        " Counted like Plus, for want of a known size: bob."
    )


def test_the_words_are_chinese_where_the_reader_is(two):
    said = words(two, "zh", shortfall_probability=0.41, shortfall_in=(2.0 * DAY, None))

    assert said.line == "共 8 周额度，剩余 4.1 周 · 够用到周一 · 一周内全部用完的概率：40%"
    with use_language("zh"):
        assert said.sentence == f"合计：{said.line}"
