"""Canary tokens in every token field, sixty ways to fail, and then a look at everything that was
written or said anywhere.
"""

import json
import logging
import shutil

import pytest

from quota_web import store
from quota_web.core import clock
from quota_web.maintenance import backup
from tests.browser import Browser
from tests.browser import make_app as make_site
from tests.fakes import DROPS, NOW, FakeResponse, auth_document, make_jwt, usage_body
from tests.faults.figures import runs

CANARIES = ("canaryaccess", "canaryrefresh", "canaryid")


def document(owner, **changes):
    tokens = {
        "access_token": make_jwt(owner) + CANARIES[0],
        "refresh_token": f"rt_{CANARIES[1]}_0123456789",
        "id_token": make_jwt(owner, email="a@example.com") + CANARIES[2],
        "account_id": owner,
    }
    return {**auth_document(owner), "tokens": {**tokens, **changes}}


def scenes():
    """Answers that fail, some of which throw back at us what we sent."""
    echo = json.dumps(
        {"detail": f"bad token {document('acct-a')['tokens']['access_token']}"}
    ).encode()
    yield from (FakeResponse(body=usage_body(), drop=point) for point in DROPS if point != "accept")
    yield from (FakeResponse(code, raw=echo) for code in (200, 400, 401, 402, 403, 404, 429, 500))
    yield from (FakeResponse(code, raw=b"<html>" + echo) for code in (200, 403, 502))
    yield FakeResponse(302, headers={"Location": f"http://127.0.0.1:9/?token={CANARIES[0]}"})
    yield FakeResponse(200, raw=b'{"rate_limit": ' + echo)
    yield FakeResponse(
        body={**usage_body(), "email": "x", "plan_type": "plus", "detail": echo.decode()}
    )


def spoiled():
    """Auth files with tokens in them that cannot be used."""
    good = document("acct-b")
    raw = json.dumps(good)
    yield from (raw[:cut].encode() for cut in (5, 60, len(raw) // 2, len(raw) - 3))
    yield json.dumps(document("acct-b", account_id="../../etc")).encode()
    yield json.dumps(document("acct-b", access_token=f"sess-{CANARIES[0]}")).encode()
    yield json.dumps(document("acct-b", access_token=f"a.b.c.d.{CANARIES[0]}")).encode()
    yield json.dumps(document("acct-b", access_token=CANARIES[0] + "\r\nX: y")).encode()
    yield json.dumps(document("acct-b", access_token=[CANARIES[0]])).encode()
    yield json.dumps(document("acct-b", access_token={"a": CANARIES[0]})).encode()
    yield json.dumps({"OPENAI_API_KEY": f"sk-{CANARIES[0]}"}).encode()
    yield raw.encode("utf-16")
    yield f"{CANARIES[0]}\n".encode()


@pytest.mark.filterwarnings("ignore")
def test_secrets(figures, installation, codex, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    said, paths = [], 0
    installation.raw_file("a", json.dumps(document("acct-a")).encode())
    state = tmp_path / "state.json"
    object.__setattr__(installation.services.settings, "state_file", state)
    for _ in range(runs(1, 5)):
        for scene in scenes():
            codex.answers("acct-a", scene)
            installation.execute(
                "UPDATE account SET status = 'ok', fault_code = NULL, fault_data = NULL, "
                "next_due_at = NULL"
            )
            for arguments in (
                ("refresh", "--force"),
                ("refresh", "--force", "--json"),
                ("status", "--json"),
            ):
                said.append(installation.run(*arguments).output)
                paths += 1
        for number, raw in enumerate(spoiled()):
            file = tmp_path / f"spoiled-{number}"
            file.write_bytes(raw)
            said.append(installation.run("accounts", "add", f"b{number}", str(file)).output)
            said.append(installation.run("accounts", "import", str(file)).output)
            file.unlink()
            paths += 2
        for command in (
            "accounts list",
            "doctor",
            "rotate-key",
            f"backup {tmp_path}/backup.sqlite --force",
            "accounts add x /nowhere",
        ):
            said.append(installation.run(*command.split()).output)
            paths += 1
    # Its tokens lie in the folder, where they belong; everything else must not have them.
    for path in installation.accounts.iterdir():
        assert all(canary.encode() in path.read_bytes() for canary in CANARIES), (
            "a search that finds nothing here would find nothing anywhere"
        )
        path.unlink()
    paths += through_the_browser(said, tmp_path, codex)
    said.append(caplog.text)
    written = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    found = [canary for canary in CANARIES for text in said if canary in text]
    found += [
        f"{canary} in {name}"
        for canary in CANARIES
        for name, raw in written.items()
        if canary.encode() in raw
    ]
    print(*found, sep="\n")
    figures.record(
        "ways to fail with canary tokens", of=paths, bad=len(found), bad_is="showed a token on "
                                                                            "screen, in a log, a "
                                                                            "page or a file",
        files_searched=len(written),
        characters_searched=sum(map(len, said)) + sum(map(len, written.values())),
    )  # fmt: skip
    assert state.exists()


def through_the_browser(said, tmp_path, codex):
    """The forms, with everything in them wrong, and every page afterwards."""
    store.database.forget_troubles()
    folder = tmp_path / "site"
    folder.mkdir()
    app = make_site(folder, QUOTA_USAGE_URL=codex.url, QUOTA_RETRIES="0")
    browser, count = Browser(app).signed_in(), 0
    forms = [
        {"name": f"w{n}", "auth_json": raw.decode("utf-8", "replace")}
        for n, raw in enumerate(spoiled())
    ]
    forms += [
        {"name": "typed", "access_token": f"{CANARIES[0]} with a blank", "account_id": "acct-1"},
        {"name": "../x", "access_token": CANARIES[0], "account_id": "y"},
    ]
    forms += [{"name": "good", "auth_json": json.dumps(document("acct-c"))}]
    for form in forms:
        said.append(browser.post("/auth/save", **form).text)
        count += 1
    for path in (
        "/",
        "/auth",
        "/auth/new",
        "/auth/edit?name=good",
        "/accounts/good",
        "/api/results",
        "/api/history",
        "/metrics",
        "/settings",
        "/nowhere",
    ):
        answer = browser.get(path)
        said.append(answer.text + str(answer.headers))
        count += 1
    with app.app_context(), clock.frozen(NOW):
        backup.backup(tmp_path / "site.sqlite")
        store.database.forget_troubles()
    shutil.rmtree(folder / "account", ignore_errors=True)
    return count
