"""`flask quota refresh` and `status` from outside: columns, order, lines on standard error, exit
status.
"""

import json
import os
import stat

import pytest

from quota_web.accounts import account_service
from quota_web.codex import auth_file
from quota_web.refresh import hooks, refresh_service
from tests.fakes import NOW, FakeResponse, auth_document, make_jwt, usage_body

HEADER = "account  five_hour%  weekly%  weekly_reset             source"
STATES = f"{HEADER}   state"
UNREAD = "alice             -        -  -                        network  "


def lines(ran):
    return ran.stdout.splitlines(), ran.stderr.splitlines(), ran.exit_code


def refused(status, **headers):
    return FakeResponse(status, body={"detail": "no"}, headers=headers)


def test_a_refresh_prints_the_table(installation, codex):
    installation.file("alice")
    installation.file("bob")
    codex.answers("acct-bob", FakeResponse(body=usage_body(None, 100)))

    assert lines(installation.run("refresh")) == (
        [
            STATES,
            "alice            88       60  2026-11-25 07:20:00 CST  network  usable",
            (
                "bob               -        0  2026-11-25 07:20:00 CST  network  blocked until Wed "
                "07:20"
            ),
        ],
        [],
        0,
    )


def test_the_table_is_printed_before_what_follows_a_refresh(installation, codex):
    installation.file("alice")
    with installation.app.app_context():
        hooks.hooks().on_finished.append(lambda: print("the hook"))

    printed, _, _ = lines(installation.run("refresh"))

    assert printed[0] == STATES
    assert printed[-1] == "the hook"


def test_a_cached_account_says_so_and_force_asks_it(installation, codex):
    installation.file("bob")
    codex.answers("acct-bob", FakeResponse(body=usage_body(None, 100)))
    installation.run("refresh")

    cached = (
        "bob               -        0  2026-11-25 07:20:00 CST  cache   blocked until Wed 07:20"
    )
    assert lines(installation.run("refresh")) == ([f"{HEADER}  state", cached], [], 0)
    assert "network" in lines(installation.run("refresh", "--force"))[0][1]
    assert len(codex.seen) == 2


def test_rows_are_sorted_by_what_is_left(installation, codex):
    left = {
        "e": (50, 50),
        "d": (50, 40),
        "c": (50, 40),
        "b": (90, 90),
        "a": (None, 5),
        "f": (50, None),
    }
    for name, (five, week) in left.items():
        installation.file(name)
        codex.answers(f"acct-{name}", FakeResponse(body=usage_body(five, week)))
    body = usage_body(50, 40)
    body["rate_limit"]["secondary_window"]["reset_at"] += 60  # type: ignore[index]
    codex.answers("acct-c", FakeResponse(body=body))

    # c and d differ in their reset alone; f has no weekly window, a no five-hour one.
    installation.run("refresh")
    # Before the order of use was first worked out.
    installation.execute("DELETE FROM account_choice")
    refreshed, status = installation.run("status").stdout, installation.run("status").stdout
    assert [line.split()[0] for line in refreshed.splitlines()[1:]] == [
        "a",
        "d",
        "c",
        "e",
        "f",
        "b",
    ]
    assert status == refreshed
    document = json.loads(installation.run("status", "--json").stdout)
    assert [entry["account"] for entry in document["results"]] == ["a", "d", "c", "e", "f", "b"]


def test_rows_are_in_the_order_of_use_once_that_was_worked_out(installation, codex):
    for name, week in {"a": 90, "b": 40, "c": 60}.items():
        installation.file(name)
        codex.answers(f"acct-{name}", FakeResponse(body=usage_body(50, week)))

    refreshed, status = installation.run("refresh").stdout, installation.run("status").stdout
    assert [line.split()[0] for line in refreshed.splitlines()[1:]] == ["b", "c", "a"]
    # What is forecast from these readings is worked out once they are printed.
    place = status.index("lasts")
    assert [line[:place].rstrip() for line in status.splitlines()] == refreshed.splitlines()
    assert installation.run("next").stdout.split("\t")[0] == "b"


def test_a_failed_account_has_a_line_and_keeps_its_last_reading_with_its_state(installation, codex):
    installation.file("alice")
    installation.file("bob")
    codex.answers("acct-bob", FakeResponse(body=usage_body(1, 1)), refused(503))
    installation.run("refresh")
    installation.now = NOW + 300

    out, err, code = lines(installation.run("refresh"))
    assert out == [
        f"{STATES}                lasts",
        "alice            88       60  2026-11-25 07:20:00 CST  network  usable               "
        "weekly: few data: at this pace it lasts",
        "bob              99       99  2026-11-25 07:20:00 CST  network  failing since 20:05  "
        "weekly: few data: at this pace it lasts",
    ]
    assert err == ["bob: upstream_error: HTTP 503: no"]
    assert code == 3


FAULTS = {
    "expired by its own word": (
        None,
        {"exp": NOW - 93_600},
        "alice: expired: access token expired at 2026-11-20 18:00:00 CST; sign in again",
        1,
    ),
    "401": (
        FakeResponse(401, body={"detail": "Unauthorized"}),
        {},
        "alice: expired: HTTP 401: Unauthorized; sign in again",
        3,
    ),
    "402": (
        FakeResponse(402, body={"detail": {"code": "deactivated_workspace"}}),
        {},
        "alice: deactivated: HTTP 402: the workspace is deactivated; nothing is sent until you "
        "refresh it by hand",
        3,
    ),
    "403": (refused(403), {}, "alice: forbidden: HTTP 403: no", 3),
    "Cloudflare": (
        refused(403, **{"cf-mitigated": "challenge"}),
        {},
        "alice: address_blocked: HTTP 403: Cloudflare blocks this machine's address, not the "
        "account",
        3,
    ),
    "404": (FakeResponse(404, raw=b""), {}, "alice: upstream_error: HTTP 404", 3),
    "429": (
        refused(429, **{"Retry-After": "90"}),
        {},
        "alice: rate_limited: HTTP 429: too many requests; the next attempt is after 2026-11-21 "
        "20:01:30 CST",
        3,
    ),
    "redirect": (
        refused(302, Location="https://example.org/"),
        {},
        "alice: upstream_error: HTTP 302 (a redirect, not followed)",
        3,
    ),
    "500": (FakeResponse(500, raw=b""), {}, "alice: upstream_error: HTTP 500", 3),
    "dropped": (
        FakeResponse(drop="request"),
        {},
        "alice: unreachable: Request failed: connection closed by the other side",
        2,
    ),
    "empty": (
        FakeResponse(raw=b""),
        {},
        "alice: bad_response: HTTP 200, but the answer is empty",
        3,
    ),
    "a page": (
        FakeResponse(raw=b"<html>", headers={"Content-Type": "text/html"}),
        {},
        "alice: bad_response: HTTP 200, but the answer is an HTML page",
        3,
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_each_failure_has_its_line_and_its_exit_status(installation, codex, case):
    scene, token, line, code = FAULTS[case]
    installation.file("alice", **token)
    if scene:
        codex.answers("acct-alice", scene)

    group = {"expired": "needs sign-in", "deactivated": "deactivated"}
    state = group.get(line.split(": ")[1], "failing since 20:00")
    out, err, status = lines(installation.run("refresh"))
    assert (err, status) == ([line], code)
    if scene:
        assert out == [STATES, UNREAD + state]
    else:
        assert out[1].split(None, 5)[1:] == ["-", "-", "-", "-", state]


FILES = {
    "missing access_token": {"tokens": {"account_id": "a"}},
    "missing account_id": {"tokens": {"access_token": "opaque-token"}},
    "looks like a session token (sess-…); use the JWT access_token": {
        "tokens": {"access_token": "sess-1", "account_id": "a"}
    },
    "holds an API key only": {"OPENAI_API_KEY": "sk-1"},
    "auth file not found or invalid: not a JSON object": 5,
    "looks like an encrypted web-session token (five parts)": {
        "tokens": {"access_token": "a.b.c.d.e", "account_id": "a"}
    },
    "holds an agent identity": {
        "auth_mode": "agentIdentity",
        "agent_identity": {"agent_runtime_id": "x"},
    },
}


@pytest.mark.parametrize("words", FILES)
def test_each_useless_file_has_its_line(installation, codex, words):
    installation.raw_file("alice", json.dumps(FILES[words]).encode())

    out, [line], code = lines(installation.run("refresh"))
    assert [row.split(None, 5) for row in out[1:]] == [
        ["alice", "-", "-", "-", "-", "needs credentials"]
    ]
    assert code == 1
    assert line.startswith(f"alice: invalid_credentials: {words}")
    assert codex.seen == []


def test_the_highest_exit_status_wins(installation, codex):
    installation.raw_file("useless", b"{}")
    installation.file("down")
    codex.answers("acct-down", FakeResponse(drop="request"))
    assert installation.run("refresh").exit_code == 2

    installation.file("odd")
    codex.answers("acct-odd", refused(500))
    assert installation.run("refresh").exit_code == 3


def test_a_paused_account_is_all_well(installation, codex):
    installation.file("alice")
    installation.follow()
    account_service.pause("alice", NOW, "test")

    out, err, code = lines(installation.run("refresh"))
    assert (err, code) == (["alice: paused: not refreshed"], 0)
    assert out[1].split() == ["alice", "-", "-", "-", "-", "paused"]


def test_the_stored_status_counts_where_nothing_was_sent(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", refused(429, **{"Retry-After": "90"}))
    first = lines(installation.run("refresh"))

    assert lines(installation.run("refresh")) == first
    assert len(codex.seen) == 1


def test_without_accounts_there_is_one_line(installation):
    assert lines(installation.run("refresh")) == ([], ["No auth files found."], 1)
    assert lines(installation.run("status")) == ([], ["No auth files found."], 0)


def test_unknown_accounts_are_named_and_the_others_refreshed(installation, codex):
    installation.file("alice")
    out, err, code = lines(installation.run("refresh", "nobody", "alice", "ALICE"))

    assert [line.split()[0] for line in out] == ["account", "alice"]
    assert (err, code) == (["nobody: unknown account"], 1)
    assert lines(installation.run("refresh", "nobody")) == ([], err, 1)
    assert lines(installation.run("status", "nobody")) == ([], ["nobody: unknown account"], 1)


def test_only_what_was_asked_for_is_complained_of(installation, codex):
    installation.file("alice")
    installation.file("Bob", "acct-1")
    installation.file("bob", "acct-2")

    taken = (
        "bob: invalid_credentials: the name is already taken by the file Bob.auth.json; "
        "rename the file"
    )
    assert lines(installation.run("refresh"))[1:] == ([taken], 1)
    assert lines(installation.run("refresh", "alice"))[1:] == ([], 0)
    assert lines(installation.run("refresh", "bob"))[1:] == ([taken], 1)


def test_a_missing_folder_is_a_bad_setting_and_changes_nothing(installation, codex):
    installation.file("alice")
    installation.run("refresh")
    installation.accounts.rename(installation.folder / "away")

    out, err, code = lines(installation.run("refresh"))
    assert [line.split()[0] for line in out] == ["account", "alice"]
    assert err == [f"account folder {installation.accounts}: No such file or directory"]
    assert code == 4


def test_an_account_that_another_process_asks_for_too_long_is_said(
    installation, codex, monkeypatch
):
    monkeypatch.setattr(refresh_service, "AWAIT_FOR", 0.1)
    installation.file("alice")
    installation.follow()
    installation.execute("UPDATE account SET claim_id = 1, claimed_at = :now", now=NOW)

    out, err, code = lines(installation.run("refresh"))
    assert (err, code) == (["alice: pending: another process is asking for it at this moment"], 0)
    assert out[1].split(None, 5) == ["alice", "-", "-", "-", "-", "not read yet"]


# status


def test_status_sends_nothing_and_shows_the_last_reading(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=usage_body(12, 40)), refused(500))
    installation.run("refresh")
    installation.run("refresh")

    row = (
        "alice            88       60  2026-11-25 07:20:00 CST  network  failing since 20:00  "
        "weekly: few data: at this pace it lasts"
    )
    assert lines(installation.run("status")) == (
        [f"{STATES}                lasts", row],
        ["alice: upstream_error: HTTP 500: no"],
        0,
    )
    assert len(codex.seen) == 2


def test_status_of_one_on_one_line(installation, codex):
    installation.file("alice")
    installation.file("bob")
    codex.answers("acct-bob", FakeResponse(body=usage_body(None, 100)))
    installation.run("refresh")

    assert lines(installation.run("status", "--oneline")) == (
        ["alice 88%/60% · bob -/0% until Wed 07:20"],
        [],
        0,
    )
    assert lines(installation.run("status", "--oneline", "BOB")) == (
        ["bob -/0% until Wed 07:20"],
        [],
        0,
    )


@pytest.mark.parametrize(
    ("form", "same"), [("oneline", ["--oneline"]), ("json", ["--json"]), ("table", [])]
)
def test_each_form_of_the_status_has_its_name(installation, codex, form, same):
    installation.file("alice")
    installation.run("refresh")

    assert (
        installation.run("status", "--format", form).stdout
        == installation.run("status", *same).stdout
    )


def test_of_many_accounts_the_usable_ones_are_shown_first(installation, codex):
    for name, used in (("out", 100), ("little", 90), ("much", 5)):
        installation.file(name)
        codex.answers(f"acct-{name}", FakeResponse(body=usage_body(used, 40)))
    installation.run("refresh")

    assert (
        installation.run("status", "--oneline", "--max", "2").stdout
        == "much 95%/60% · little 10%/60%\n"
    )
    assert [
        line.split()[0] for line in installation.run("status", "--max", "1").stdout.splitlines()
    ] == ["account", "much"]
    assert (
        len(json.loads(installation.run("status", "--json", "--max", "2").stdout)["results"]) == 2
    )


def monthly_body(used):
    body = usage_body(None, used)
    body["rate_limit"]["primary_window"]["limit_window_seconds"] = 2_592_000  # type: ignore[index]
    return body


def test_what_an_account_has_beside_the_two_windows_has_a_column(installation, codex):
    unlimited = usage_body(
        None,
        None,
        plan="enterprise",
        credits={"has_credits": True, "unlimited": True, "balance": None},
    )
    astra = {
        "gpt-6-astra": {"available": False, "available_at": NOW + 7_200},
        "gpt-6-luna": {"available": True},
    }
    bodies = {
        "alice": usage_body(),
        "frank": monthly_body(61),
        "mia": unlimited,
        "zoe": usage_body(model_usage=astra),
    }
    for name, body in bodies.items():
        installation.file(name)
        codex.answers(f"acct-{name}", FakeResponse(body=body))

    assert lines(installation.run("refresh")) == (
        [
            f"{HEADER}   state   other",
            "alice            88       60  2026-11-25 07:20:00 CST  network  usable",
            (
                "zoe              88       60  2026-11-25 07:20:00 CST  network  usable  no "
                "gpt-6-astra until 22:00"
            ),
            "frank             -        -  -                        network  usable  monthly 39",
            (
                "mia               -        -  -                        network  usable  credits "
                "unlimited"
            ),
        ],
        [],
        0,
    )
    assert (
        installation.run("status", "--oneline").stdout
        == "alice 88%/60% · zoe 88%/60% · frank monthly 39% · mia unlimited\n"
    )


# The state file


def test_the_state_file_holds_the_document_of_everybody(installation, codex, tmp_path):
    file = tmp_path / "results.json"
    installation.app = installation.another(QUOTA_STATE_FILE=str(file))
    installation.file("alice")
    installation.file("bob")
    installation.run("refresh")
    installation.run("refresh", "alice")

    assert [r["account"] for r in json.loads(file.read_bytes())["results"]] == ["alice", "bob"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_bytes()) == json.loads(installation.run("status", "--json").stdout)


def test_a_state_file_that_cannot_be_written_is_a_bad_setting(installation, codex, tmp_path):
    (tmp_path / "folder").mkdir()
    installation.app = installation.another(
        QUOTA_STATE_FILE=str(tmp_path / "folder" / "results.json")
    )
    (tmp_path / "folder").rmdir()
    installation.file("alice")

    out, err, code = lines(installation.run("refresh"))
    assert len(out) == 2
    assert err == [
        (
            f"QUOTA_STATE_FILE: {tmp_path}/folder/results.json cannot be written: No such file or "
            f"directory"
        )
    ]
    assert code == 4


# Wrong use


@pytest.mark.parametrize(
    "arguments",
    [
        ["refresh", "--frobnicate"],
        ["frobnicate"],
        ["status", "--json=5"],
        ["accounts"],
        ["accounts", "add"],
        ["accounts", "export", "x"],
    ],
)
def test_wrong_usage_ends_with_two(installation, arguments):
    ran = installation.run(*arguments)

    assert ran.exit_code == 2
    assert "Traceback" not in ran.output


def test_names_that_no_terminal_obeys_are_harmless(installation):
    ran = installation.run("refresh", "\udcff\x1b[31m")

    assert ran.exit_code == 1
    assert "Traceback" not in ran.output


def test_a_managed_account_is_shown_beside_those_of_the_folder(installation, codex):
    installation.file("alice")
    credentials = auth_file.parse(auth_document("acct-9", access_token=make_jwt("acct-9")))
    account_service.add(installation.services.cipher, "bob", credentials, NOW, "test")

    assert [line.split()[0] for line in installation.run("refresh").stdout.splitlines()] == [
        "account",
        "alice",
        "bob",
    ]
    assert os.listdir(installation.accounts) == ["alice.auth.json"]
