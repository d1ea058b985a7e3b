"""`/api/results` with its ETag, and `/api/history`: what scripts are promised."""

import json

import pytest

from quota_web.accounts import account_service
from quota_web.codex import auth_file
from quota_web.core import clock, names
from quota_web.core.times import iso
from quota_web.reports import overview, results_json
from tests.fakes import NOW, FakeResponse, auth_document, usage_body
from tests.pages import JSON, Script, close, visiting

HOUR, DAY = 3_600, 86_400


@pytest.fixture
def script(browser):
    return Script(browser)


@pytest.fixture
def alice(installation, codex):
    """A house whose account alice has been asked once."""
    installation.file("alice")
    installation.refresh()
    return installation


def ask(installation, codex, moment, *used, **more):
    """One answer of alice's with these used percents at a moment."""
    installation.now = moment
    codex.answers("acct-alice", FakeResponse(body=usage_body(*used, **{"at": moment, **more})))
    installation.refresh("alice", force=True)


# /api/results


def test_the_results_are_the_document(alice, browser, script):
    answer = browser.get("/api/results")

    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.get_json() == results_json.document(
        overview.load_overview(alice.scope, NOW, HOUR)
    )
    assert script.get("/api/results").data == answer.data


@pytest.mark.parametrize("path", ["/api/results", "/api/history"])
def test_strangers_get_a_401_as_json_and_nothing_can_be_posted(alice, browser, script, path):
    stranger = browser.client.application.test_client().get(path)

    assert (stranger.status_code, stranger.get_json()["error"]["code"]) == (401, "unauthorized")
    assert stranger.headers["WWW-Authenticate"] == 'Bearer realm="Codex Quota"'
    wrong = script.post(path)
    assert (wrong.status_code, wrong.get_json()["error"]["code"]) == (405, "method_not_allowed")
    assert set(wrong.headers["Allow"].replace(" ", "").split(",")) == {"GET", "HEAD", "OPTIONS"}


def test_whoever_has_the_newest_results_gets_304_and_no_body(alice, script):
    first = script.get("/api/results")
    tag = first.headers["ETag"]

    again = script.get("/api/results", **{"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "no-store"
    assert script.get("/api/results", **{"If-None-Match": f'"other", W/{tag}'}).status_code == 304
    for other in ('"other"', "nonsense", '""', ""):
        assert script.get("/api/results", **{"If-None-Match": other}).status_code == 200


def test_a_head_tells_the_tag(alice, script, browser):
    head = browser.client.head("/api/results")

    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == script.get("/api/results").headers["ETag"]
    assert (
        browser.client.head(
            "/api/results", headers={"If-None-Match": head.headers["ETag"]}
        ).status_code
        == 304
    )


def test_every_write_of_any_process_changes_the_tag(alice, codex, script):
    seen = [script.get("/api/results").headers["ETag"]]
    credentials = auth_file.parse(auth_document("acct-bob"))
    writes = [
        lambda: alice.ask("alice", force=True),
        lambda: account_service.add(alice.services.cipher, "bob", credentials, NOW, "test"),
        lambda: account_service.edit(alice.services.cipher, "bob", "Bob", None, NOW, "test"),
        lambda: account_service.pause("Bob", NOW, "test"),
        lambda: account_service.resume("Bob", NOW, "test"),
        lambda: alice.file("carol") and alice.follow(),
        lambda: (alice.accounts / "carol.auth.json").unlink() or alice.follow(),
        lambda: account_service.remove("Bob", NOW, "test"),
        lambda: alice.file("alice", exp=NOW - 1) and alice.refresh("alice"),
    ]
    for write in writes:
        write()
        answer = script.get("/api/results", **{"If-None-Match": seen[-1]})
        assert answer.status_code == 200
        assert answer.get_json() == results_json.document(
            overview.load_overview(alice.scope, NOW, HOUR)
        )
        seen.append(answer.headers["ETag"])

    assert len(set(seen)) == len(writes) + 1


def test_what_changed_nothing_leaves_the_tag(alice, script):
    tag = script.get("/api/results").headers["ETag"]
    alice.follow()
    account_service.resume("alice", NOW, "test")
    script.get("/")
    script.get("/api/history")

    assert script.get("/api/results", **{"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    ("used", "moments", "flips"),
    [
        # A reset that has passed makes stale, whatever the age; the age alone does it after two
        # intervals.
        ((12, 40), [NOW + 7_199, NOW + 7_200], ("stale", False, True)),
        ((None, 40), [NOW + 7_200, NOW + 7_201], ("stale", False, True)),
        ((None, 100), [NOW + 299_999, NOW + 300_000], ("blocked", True, False)),
        ((100, 40), [NOW + 7_199, NOW + 7_200], ("blocked", True, False)),
    ],
)
def test_the_tag_changes_when_something_flips_by_itself(
    installation, codex, script, used, moments, flips
):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=usage_body(*used)))
    installation.refresh()
    script.get("/api/results")
    key, before, after = flips

    with clock.frozen(moments[0]):
        answer = script.get("/api/results")
        assert answer.get_json()["results"][0][key] is before
        assert (
            script.get("/api/results", **{"If-None-Match": answer.headers["ETag"]}).status_code
            == 304
        )
    with clock.frozen(moments[1]):
        flipped = script.get("/api/results", **{"If-None-Match": answer.headers["ETag"]})
        assert flipped.status_code == 200
        assert flipped.get_json()["results"][0][key] is after
        assert flipped.headers["ETag"] != answer.headers["ETag"]


def test_a_clock_that_is_put_back_gets_no_stale_body(alice, script):
    with clock.frozen(NOW + DAY):
        assert script.get("/api/results").get_json()["results"][0]["stale"] is True
    with clock.frozen(NOW):
        assert script.get("/api/results").get_json()["results"][0]["stale"] is False


def test_two_processes_answer_with_the_same_tag(alice, script):
    with visiting(alice) as other:
        assert (
            Script(other, write=True).get("/api/results").headers["ETag"]
            == script.get("/api/results").headers["ETag"]
        )


def test_the_same_data_seen_with_other_settings_have_another_tag(alice, script):
    tag = script.get("/api/results").headers["ETag"]

    with visiting(alice, QUOTA_ACCOUNT_DIR=str(alice.folder)) as other:
        answer = Script(other, write=True).get("/api/results", **{"If-None-Match": tag})
    assert (answer.status_code, answer.get_json()["results"]) == (200, [])


def test_who_may_only_look_sees_the_results(alice):
    with visiting(alice, QUOTA_AUTH="off") as visitor:
        assert [r["account"] for r in visitor.get("/api/results").get_json()["results"]] == [
            "alice"
        ]


# /api/history


@pytest.fixture
def filled(installation, codex):
    """Two accounts; alice was asked four times within the last hours, with a gap of three hours and
    a reset in between.
    """
    installation.file("alice")
    installation.file("bob")
    reset = {
        "rate_limit": {
            "primary_window": {
                "used_percent": 5,
                "limit_window_seconds": 18_000,
                "reset_at": NOW + 4 * HOUR,
            }
        }
    }
    ask(installation, codex, NOW - 6 * HOUR, 20, 40)
    ask(installation, codex, NOW - 6 * HOUR + 120, 31.5, 41)
    ask(installation, codex, NOW - HOUR, 90, 50)
    installation.now = NOW - 600
    codex.answers("acct-alice", FakeResponse(body=usage_body() | reset))
    installation.refresh(force=True)
    installation.now = NOW
    return installation


def history(script, query="", status=200):
    answer = script.get(f"/api/history?{query}")
    assert (answer.status_code, answer.mimetype) == (status, "application/json"), answer.text
    return answer.get_json()


def values(document, account="alice", window="five_hour", column="remaining"):
    """What is known in one column, by the time of its slot relative to NOW."""
    [line] = [s for s in document["series"] if (s["account"], s["window"]) == (account, window)]
    assert len(line[column]) == len(document["t"])
    return {t - NOW: v for t, v in zip(document["t"], line[column], strict=True) if v is not None}


def test_without_words_it_is_the_usual_windows_of_all_accounts_over_a_day(filled, script):
    document = history(script)

    assert list(document) == ["from", "to", "step_seconds", "t", "series"]
    assert (document["from"], document["to"], document["step_seconds"]) == (
        "2026-11-20T12:00:00Z",
        "2026-11-21T12:00:00Z",
        300,
    )
    assert (document["t"][0], document["t"][-1], len(document["t"])) == (NOW - DAY, NOW - 300, 288)
    assert [list(s) for s in document["series"]] == [
        ["account", "window", "remaining", "min", "max"]
    ] * 4
    assert [(s["account"], s["window"]) for s in document["series"]] == [
        ("alice", "five_hour"),
        ("alice", "weekly"),
        ("bob", "five_hour"),
        ("bob", "weekly"),
    ]


def test_the_script_sees_last_lowest_and_highest_of_each_slot(filled, script):
    document = history(script, "account=alice&window=five_hour&range=24h&points=24")

    assert document["step_seconds"] == HOUR
    assert values(document)[-6 * HOUR] == 68.5
    assert values(document, column="min")[-6 * HOUR] == 68.5
    assert values(document, column="max")[-6 * HOUR] == 80


def test_a_value_is_carried_for_two_intervals_then_there_is_a_gap(filled, script):
    found = values(history(script, "account=alice&window=five_hour"))
    slots = [at for at in found if at < -HOUR]

    assert found[slots[0]] == 68.5
    assert slots[0] == -6 * HOUR
    # Two hours after the reading at minus six hours and two minutes, which is also the window's
    # reset.
    assert slots[-1] == -4 * HOUR
    assert [at for at in found if -4 * HOUR < at < -HOUR] == []
    assert (found[-HOUR], found[-600]) == (10, 95)


def test_a_window_that_is_gone_ends_and_comes_in_charts_of_its_time(filled, script):
    assert min(values(history(script, "account=alice"), window="weekly")) == -6 * HOUR
    assert max(values(history(script, "account=alice"), window="weekly")) < -600


def test_an_exhausted_window_is_carried_until_its_reset(installation, codex, script):
    installation.file("alice")
    # Its week ends 300,000 s after the moment that the answer counts from.
    ask(installation, codex, NOW - 20 * HOUR, None, 100, at=NOW - 300_000 - 9 * HOUR)
    found = values(history(script, "account=alice&window=weekly&range=24h"), window="weekly")

    assert set(found.values()) == {0}
    assert (min(found), max(found)) == (-20 * HOUR, -9 * HOUR - 300)


def test_accounts_and_windows_may_repeat_and_come_as_asked(filled, script):
    document = history(
        script, "account=bob&account=alice&account=BOB&window=weekly&window=five_hour&window=weekly"
    )

    assert [(s["account"], s["window"]) for s in document["series"]] == [
        ("bob", "weekly"),
        ("bob", "five_hour"),
        ("alice", "weekly"),
        ("alice", "five_hour"),
    ]


def test_other_windows_are_asked_for_by_their_keys(installation, codex, script):
    extra = {
        "limit_name": "Spark",
        "metered_feature": "codex_x",
        "rate_limit": {"primary_window": {"used_percent": 5, "limit_window_seconds": 18_000}},
    }
    spend = {"individual_limit": {"limit": "10", "used": "12", "reset_at": NOW + DAY}}
    installation.file("alice")
    ask(installation, codex, NOW - 60, 1, 2, additional_rate_limits=[extra], spend_control=spend)
    document = history(
        script,
        "account=alice&window=model:codex_x:five_hour&window=spend&window=monthly&window=window:7200",
    )

    assert [(s["window"], s["remaining"][-1]) for s in document["series"]] == [
        ("model:codex_x:five_hour", 95),
        ("spend", 0),
    ]


@pytest.mark.parametrize(
    ("query", "start", "end", "step"),
    [
        ("range=7d", NOW - 7 * DAY, NOW, 1_800),
        ("range=30d", NOW - 30 * DAY, NOW, 7_200),
        ("range=90d", NOW - 90 * DAY, NOW, 21_600),
        ("range=1y", NOW - 365 * DAY, NOW, 86_400),
        ("range=24h&points=2000", NOW - DAY, NOW, 60),
        ("range=24h&points=1", NOW - DAY, NOW, 86_400),
        (f"from={NOW - 100}&to={NOW}", NOW - 100, NOW, 60),
        ("from=2026-11-20T12:00:07Z&to=2026-11-20T13:00:00Z", NOW - DAY, NOW - 23 * HOUR, 60),
        ("from=2026-11-20T20:00:00+08:00&to=2026-11-20T13:00:00", NOW - DAY, NOW - 23 * HOUR, 60),
        (
            "from=2026-11-20T20:00:00%2B08:00&to=2026-11-20T13:00:00Z",
            NOW - DAY,
            NOW - 23 * HOUR,
            60,
        ),
    ],
)
def test_the_axis_lies_on_step_boundaries(alice, script, query, start, end, step):
    document = history(script, query)
    times = document["t"]

    assert document["step_seconds"] == step
    assert times == list(range(start - start % step, end, step))
    assert document["from"] == iso(times[0])
    assert document["to"] == iso(end)
    assert all(
        len(s[column]) == len(times)
        for s in document["series"]
        for column in ("remaining", "min", "max")
    )


@pytest.mark.parametrize(
    "query",
    [
        "range=2d", "range=24H", "points=0", "points=2001", "points=-1", "points=1e3",
        "points=00020000", "points=x", "window=hourly", "window=",
        "window=window:x", "window=model:%00", "from=yesterday", "to=2026-02-30", "from=-1",
        "from=1e99", "from=nan", f"from={NOW}&to={NOW - 1}",
        f"from={NOW}", "from=0", f"range=7d&from={NOW - 9}",
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_400(script, query):
    error = history(script, query, 400)["error"]

    assert set(error) == {"code", "message"}
    assert error["code"] == "bad_request"
    assert error["message"]


@pytest.mark.parametrize(
    "query",
    [
        "account=nobody",
        "account=alice&account=nobody",
        "account=",
        "account=a%00b",
        "account=..%2F..%2Fetc",
        "account=%ff",
    ],
)
def test_an_unknown_account_is_404(alice, script, query):
    assert history(script, query, 404)["error"]["code"] == "unknown_account"


def test_without_accounts_there_is_an_axis_and_no_series(script):
    document = history(script)

    assert document["series"] == []
    assert len(document["t"]) == 288


def test_a_deleted_account_is_in_no_chart(filled, script):
    account_service.remove("bob", NOW, "test")

    assert {s["account"] for s in history(script)["series"]} == {"alice"}
    history(script, "account=bob", 404)


def test_numbers_are_json_numbers_and_no_nan(filled, script):
    text = script.get("/api/history?range=1y").text

    assert json.loads(text, parse_constant=lambda word: pytest.fail(word))


def test_history_is_what_two_processes_agree_on(filled, script):
    with visiting(filled) as other:
        assert (
            other.get("/api/history?range=7d", **JSON).data
            == script.get("/api/history?range=7d").data
        )


def test_errors_inside_are_json_too(filled, browser, script):
    close(browser.client.application)
    filled.execute("ALTER TABLE reading RENAME TO gone")
    answer = script.get("/api/history")

    assert answer.status_code in (500, 503)
    assert set(answer.get_json()["error"]) == {"code", "message"}
    assert "gone" not in answer.text
    assert "reading" not in answer.text


def test_a_name_that_is_too_long_is_unknown_before_it_is_folded_or_kept(alice, script, normalised):
    name = "a" + "\u0301\u0323" * 4_000

    for answer in (
        script.get(f"/api/history?account={name}"),
        script.get(f"/accounts/{name}"),
        script.get(f"/accounts/{name}/chart.svg"),
        script.post("/refresh", account=name, headers=JSON),
    ):
        assert answer.status_code in (200, 404)
        assert len(answer.text) < 5_000

    assert max(normalised, default=0) <= names.MAX_NAME
