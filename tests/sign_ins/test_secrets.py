"""Whatever the other side answers to a sign-in or a renewal, and wherever a person looks for what
came of it: no token is there, no code that is not for people, and nothing that we made up.
"""

import logging
from urllib.parse import parse_qs, urlsplit

import pytest

from quota_web import store
from quota_web.alerts import timed_alerts
from quota_web.core import clock
from quota_web.services import services
from quota_web.sign_ins import renewal_service, signing_in
from tests.alerts.receiver import Receiver
from tests.alerts.sending import add_channel
from tests.browser import Browser, make_app
from tests.fakes import NOW, FakeResponse, make_jwt, usage_body
from tests.issuer import CANARY, DAY, FakeIssuer, Turn

#: A part of a token so long is as bad as the whole.
PART = 24
PAGES = (
    "/",
    "/auth",
    "/auth/edit?name=alice",
    "/accounts/alice",
    "/auth/sign-in",
    "/auth/sign-in?account=alice",
    "/history",
    "/events",
    "/resets",
    "/alerts",
    "/settings",
    "/nowhere",
    "/metrics",
    "/api/results",
    "/api/history",
    "/api/events",
    "/api/events.csv",
    "/api/next",
)
COMMANDS = (
    "status --json",
    "status",
    "accounts list",
    "accounts list --json",
    "accounts renewal alice off",
    "accounts renewal alice on",
    "accounts renew nobody",
    "events",
    "alerts --json",
    "alerts send",
    "doctor",
    "refresh --force --json",
)


def echoes(secret: str) -> list[Turn]:
    """Answers that throw back at us what we sent, wherever something is read of an answer."""
    return [
        Turn(status=400, body={"error": {"code": secret, "message": secret}}),
        Turn(status=401, body={"error": secret, "error_description": secret}),
        Turn(status=403, raw=f"<html>{secret}</html>".encode()),
        Turn(status=403, body={"detail": secret}, headers={"cf-mitigated": "challenge"}),
        Turn(status=429, body={"detail": secret}, headers={"Retry-After": secret}),
        Turn(status=500, raw=secret.encode(), headers={"x-request-id": secret, "cf-ray": secret}),
        Turn(status=302, headers={"Location": f"http://127.0.0.1:9/?token={secret}"}),
        Turn(status=200, body={"access_token": f"{secret}\r\n", "refresh_token": f"{secret} x"}),
        Turn(status=200, raw=f'{{"access_token": "{secret}'.encode()),
        Turn(after="drop"),
        Turn(after="cut"),
    ]


class Walk:
    """A person at a browser and at a terminal of one installation, and everything they saw."""

    def __init__(self, folder, codex, issuer):
        self.issuer, self.folder, self.now = issuer, folder, NOW
        self.app = make_app(
            folder,
            QUOTA_AUTH_URL=issuer.url,
            QUOTA_USAGE_URL=codex.url,
            QUOTA_RETRIES="0",
            QUOTA_ALERT_TARGETS="127.0.0.0/8",
        )
        self.said: list[str] = []
        with clock.frozen(NOW):
            self.browser = Browser(self.app).signed_in()

    def sees(self, path):
        with clock.frozen(self.now):
            answer = self.browser.get(path)
        self.said.append(f"{path}\n{answer.headers}\n{answer.text}")
        return answer

    def sends(self, path, **fields):
        with clock.frozen(self.now):
            answer = self.browser.post(path, **fields)
        self.said.append(f"{path}\n{answer.headers}\n{answer.text}")
        return answer

    def runs(self, *command):
        with self.app.app_context(), clock.frozen(self.now):
            ran = self.app.test_cli_runner().invoke(args=["quota", *command])
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.output
        self.said.append(f"{command}\n{ran.output}")

    def polls(self):
        self.now += 20
        with self.app.app_context(), clock.frozen(self.now):
            signing_in.work(self.now)

    def judges(self):
        with self.app.app_context(), clock.frozen(self.now):
            timed_alerts.judge_now(self.now, 3_600)

    def changes(self, *statements):
        with self.app.app_context(), store.database.transaction() as tx:
            for statement in statements:
                tx.exec_driver_sql(statement)

    def begins(self, method, **fields):
        """Begin a sign-in, with room for it; its page and what its JSON says."""
        self.changes("UPDATE sign_in SET created_at = 0")
        page = self.sends("/auth/sign-in", method=method, **fields).headers["Location"]
        with clock.frozen(self.now):
            shown = self.browser.get(page.replace("/auth/", "/api/")).get_json()
        return page, shown

    def looks_back(self, page):
        for path in (page, page.replace("/auth/", "/api/")):
            self.sees(path)


def sign_in_by_code(walk, answer=None, login="acct-1", **fields):
    """With the *answer* of that number to the exchange, or as usual."""
    page, shown = walk.begins("device", **(fields or {"name": "alice"}))
    walk.looks_back(page)
    code = shown["user_code"]
    walk.issuer.plays(*([] if answer is None else [echoes(f"ac_{CANARY}_{code}")[answer]]))
    assert code in walk.said[-1], "the code that a person types is shown"
    walk.polls()
    walk.issuer.decide(code, "approved", account_id=login, user_id=f"user-{login}")
    walk.polls()
    walk.looks_back(page)
    return page


def sign_in_by_link(walk, answer=None):
    """The link's state is in the address to open, and nowhere else: the page is not kept."""
    walk.issuer.plays(*([] if answer is None else [echoes(f"ac_{CANARY}_link")[answer]]))
    page, shown = walk.begins("link", name="bob")
    state = parse_qs(urlsplit(shown["url"]).query)["state"][0]
    walk.issuer.grant(f"ac_{CANARY}_link", account_id="acct-2", user_id="user-2")
    leftover = make_jwt("acct-2", jti=CANARY)
    walk.issuer.secrets |= {state, leftover}
    for wrong in (
        f"http://localhost:1455/success?id_token={leftover}",
        f"http://localhost:1455/auth/callback?code=ac_{CANARY}_link&state=other",
    ):
        assert walk.sends(f"{page}/callback", url=wrong).status_code == 422
        walk.said[-1] = walk.said[-1].replace(shown["url"].replace("&", "&amp;"), "")
    end = f"http://localhost:1455/auth/callback?code=ac_{CANARY}_link&state={state}"
    walk.sends(f"{page}/callback", url=end)
    walk.looks_back(page)
    walk.issuer.secrets.add(walk.issuer.bodies[-1]["code_verifier"])


def renew_in_each_way(walk):
    """By the button, by the command and by the schedule, each with each answer."""
    ways = (
        lambda: walk.sends("/auth/renew", name="alice"),
        lambda: walk.runs("accounts", "renew", "alice"),
        lambda: renew_by_schedule(walk),
    )
    for number in range(len(ways) * len(echoes(""))):
        with walk.app.app_context(), store.database.reading() as conn:
            held = renewal_token(conn)
        walk.issuer.secrets.add(held)
        walk.issuer.plays(echoes(held)[number // len(ways)])
        walk.changes(
            "UPDATE credential SET renewal = 'on', renewal_refusals = 0, renew_at = 1",
            "UPDATE site_state SET renewal_after = NULL",
            "DELETE FROM renewal",
        )
        calls = walk.issuer.calls
        ways[number % len(ways)]()
        assert walk.issuer.calls == calls + 1
        walk.sees("/accounts/alice")


def renewal_token(conn):
    found = store.accounts.get_by_name(conn, "alice")
    sealed = store.credentials.get_by_ids(conn, [found.id])[found.id].refresh_sealed
    assert sealed is not None
    return services().cipher.open(sealed, found.id, store.encryption.REFRESH).reveal()


def renew_by_schedule(walk):
    with walk.app.app_context(), clock.frozen(walk.now):
        renewal_service.renew_due(renewal_service.make(services(), "schedule"))


def look_everywhere(walk):
    """At every page and command, with an alert sent, and into every file that was written."""
    walk.changes(
        "UPDATE credential SET renewal = 'dead', renew_at = NULL, "
        f"access_expires_at = {walk.now + 3_600}"
    )
    walk.judges()
    for path in PAGES:
        walk.sees(path)
    for command in COMMANDS:
        walk.runs(*command.split())
    walk.runs("backup", str(walk.folder / "backup.sqlite"))
    walk.runs("accounts", "export", "alice", str(walk.folder.parent / "exported"))
    for file in walk.folder.rglob("*"):
        if file.is_file():
            walk.said.append(f"{file}\n{file.read_bytes().decode('latin-1')}")


def parts(secret):
    """The secret, and what of it would be too much."""
    return {secret} | {secret[n : n + PART] for n in range(0, len(secret) - PART, PART)}


@pytest.mark.filterwarnings("ignore")
def test_no_token_and_no_code_is_seen_anywhere(instance_dir, codex, caplog):
    caplog.set_level(logging.DEBUG)
    codex.default = FakeResponse(body=usage_body(at=NOW))
    with FakeIssuer() as issuer, Receiver() as receiver:
        walk = Walk(instance_dir, codex, issuer)
        with walk.app.app_context(), clock.frozen(NOW):
            add_channel(receiver.url)
        for answer in (*range(len(echoes(""))), None):
            sign_in_by_code(walk, answer)
            sign_in_by_link(walk, answer)
        page = sign_in_by_code(walk, login="acct-other", account="alice")
        walk.sends(f"{page}/add", name="carol")
        walk.runs("refresh")
        walk.judges()
        walk.now += 5 * DAY
        codex.default = FakeResponse(401, body={"detail": f"bad token rt_{CANARY}_1"})
        renew_in_each_way(walk)
        look_everywhere(walk)
        sent = [one.body.decode() for one in receiver.got]
        secrets = {CANARY, "made-up-verifier"}.union(*(parts(one) for one in issuer.secrets))
    assert any("sign_in" in one for one in sent), "an alert was sent"
    exported = (instance_dir.parent / "exported").read_text()
    assert any(one in exported for one in secrets), "what finds nothing here finds nothing anywhere"
    # In lower case: a code of an error is.
    heard = [one.lower() for one in (*walk.said, *sent, caplog.text)]
    assert sum("renew" in one for one in heard) > 10
    found = [
        f"{len(secret)} characters in {text.partition(chr(10))[0]}: "
        + text.replace(secret, "<here>")[max(0, text.find(secret) - 80) :][:120]
        for text in heard
        for secret in {secret.lower() for secret in secrets}
        if secret in text
    ]
    assert not found, "\n".join(found[:9])
