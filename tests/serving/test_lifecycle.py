"""Both real servers with the schedule inside: every account is asked once, whoever is killed, and a
stop loses nothing.
"""

import collections
import contextlib
import gc
import json
import os
import re
import resource
import runpy
import signal
import socket
import time
from types import SimpleNamespace

import pytest

from quota_web import config, store
from quota_web.core import clock
from quota_web.core.checkout import PROJECT
from quota_web.core.errors import BadSetting, DatabaseBusy, DatabaseDamaged, DatabaseFull
from quota_web.factory import create_app
from quota_web.refresh import worker
from quota_web.serving import classic_service, lifecycle
from tests.fakes import FakeResponse, usage_body
from tests.servers import Server

#: The contract's limit.
STOP_WITHIN_S = 8.0


@pytest.fixture(autouse=True)
def _answers(codex):
    codex.default = FakeResponse(body=usage_body(at=clock.now()))


def counts(codex) -> dict[str, int]:
    return dict(collections.Counter(seen.account_id for seen in codex.seen))


def stored(server: Server) -> set[str]:
    return {
        str(name) for (name,) in server.rows("SELECT name FROM account WHERE taken_at IS NOT NULL")
    }


def test_the_classic_service_asks_and_answers(tmp_path, codex):
    with Server(tmp_path, codex, 3).classic() as server:
        server.wait_for(lambda: len(stored(server)) == 3)
        assert server.get("/healthz") == (200, '{"status":"ok"}\n')
        assert server.get("/readyz") == (200, '{"status":"ok"}\n')
        assert (
            server.get("/scheduler/jobs")[0] in (404, 302, 401)
            or "Sign in" in server.get("/scheduler/jobs")[1]
        )
        took = server.stop()

    assert took < STOP_WITHIN_S
    assert server.process.returncode == 0
    assert counts(codex) == {"acct-0": 1, "acct-1": 1, "acct-2": 1}
    assert server.log().count("the schedule runs in process") == 1
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("given", [{}, {"WEB_CONCURRENCY": "4"}], ids=["", "app before the fork"])
def test_gunicorn_asks_each_account_once_with_any_number_of_workers(tmp_path, codex, given):
    workers = int(given.get("WEB_CONCURRENCY", 2))
    codex.default = FakeResponse(body=usage_body(at=clock.now()), delay=0.05)
    # Each import is a line of the log.
    given = {**given, "PYTHONPROFILEIMPORTTIME": "1"}
    with Server(tmp_path, codex, 12, **given).gunicorn("--workers", str(workers)) as server:
        server.wait_for(lambda: len(stored(server)) == 12)
        server.wait_for(lambda: server.log().count("the schedule runs in process") == workers)
        time.sleep(1)
        assert {server.get("/readyz")[0] for _ in range(8)} == {200}
        if "WEB_CONCURRENCY" in given:
            open_files = {
                os.readlink(entry.path) for entry in os.scandir(f"/proc/{server.process.pid}/fd")
            }
            assert [name for name in open_files if "quota.sqlite" in name] == []
            before, _, after = server.log().partition("Booting worker")
            imported = re.compile(r"import time:.*\bquota_web\.(\S+)")
            assert imported.search(before)
            assert imported.findall(after) == []
        took = server.stop()

    assert took < STOP_WITHIN_S
    assert set(counts(codex).values()) == {1}
    assert codex.max_in_flight <= 4
    assert server.log().count("Choose one here") == 1
    assert "Traceback" not in server.log()


def test_a_killed_worker_is_replaced_and_asks_on(tmp_path, codex):
    with Server(tmp_path, codex, 2).gunicorn("--workers", "1") as server:
        server.wait_for(lambda: len(stored(server)) == 2)
        [worker] = server.workers()
        os.kill(worker, signal.SIGKILL)
        server.add_account("late", "acct-late")
        server.wait_for(lambda: "late" in stored(server))

    assert counts(codex) == {"acct-0": 1, "acct-1": 1, "acct-late": 1}


@pytest.mark.parametrize("kind", ["classic", "gunicorn"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_stores_what_was_answered_and_drops_the_rest(tmp_path, codex, kind, number):
    codex.answers("acct-0", FakeResponse(delay=60))
    codex.answers("acct-1", FakeResponse(body=usage_body(at=clock.now()), header_drip=5))
    server = Server(tmp_path, codex, 4)
    with server.classic() if kind == "classic" else server.gunicorn("--workers", "2"):
        server.wait_for(lambda: len(codex.seen) == 4)
        server.wait_for(lambda: len(stored(server)) == 2)
        took = server.stop(number)

    assert took < STOP_WITHIN_S
    assert stored(server) == {"a2", "a3"}
    assert server.rows(
        "SELECT count(*) FROM account WHERE claim_id IS NOT NULL OR failures > 0"
    ) == [(0,)]
    assert "Traceback" not in server.log()


def test_a_request_that_waits_for_results_is_answered_at_the_stop(tmp_path, codex):
    codex.answers("acct-0", FakeResponse(delay=60))
    with Server(tmp_path, codex, 1, QUOTA_AUTH="off").classic() as server:
        server.wait_for(lambda: len(codex.seen) == 1)
        status, body = server.get("/api/results")
        assert (status, json.loads(body)["results"][0]["status"]) == (200, "pending")
        took = server.stop()

    assert took < STOP_WITHIN_S


def test_slow_clients_hold_nobody_up(tmp_path, codex):
    with Server(tmp_path, codex).classic() as server, contextlib.ExitStack() as clients:
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        for head in [
            b"GET / HTTP/1.1\r\nHost: loc",
            b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx",
        ] * 300:
            client = clients.enter_context(socket.create_connection(address, timeout=10))
            client.sendall(head)
        started = time.monotonic()
        for _ in range(20):
            assert server.get("/healthz")[0] == 200
        assert time.monotonic() - started < 5
        assert server.stop() < STOP_WITHIN_S


def test_who_asks_for_much_and_reads_nothing_holds_few_files_open(tmp_path, codex):
    with Server(tmp_path, codex).classic() as server, contextlib.ExitStack() as clients:
        for _ in range(4):
            client = clients.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
            # Each answer that waits is an open file; what fits into the kernel does not wait.
            client.sendall(b"GET /static/css/app.css HTTP/1.1\r\n\r\n" * 200)
        time.sleep(3)

        assert len(os.listdir(f"/proc/{server.process.pid}/fd")) < 150
        assert server.get("/login")[0] == 200


def test_the_service_may_open_as_many_files_as_its_connections_need(tmp_path, codex):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    try:
        with Server(tmp_path, codex).classic() as server:
            assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)[0] == min(
                classic_service.MOST_FILES, hard
            )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("given", [{}, {"WEB_CONCURRENCY": "2"}], ids=["", "app before the fork"])
def test_a_database_that_cannot_be_used_stops_gunicorn_with_one_line(tmp_path, codex, given):
    instance = tmp_path / "instance"
    instance.mkdir()
    (instance / "quota.sqlite").write_bytes(
        b"this is no database, but long enough to be looked at as one" * 20
    )
    server = Server(tmp_path, codex, **given).gunicorn("--workers", "2")
    with pytest.raises(AssertionError), server:
        pass
    server.process.wait(20)

    assert server.process.returncode == 4
    assert "Traceback" not in server.log()
    assert (instance / "quota.sqlite").read_bytes().startswith(b"this is no database")


def test_the_set_up_link_is_printed_until_there_is_a_password(tmp_path, codex):
    with Server(tmp_path, codex, QUOTA_URL_PREFIX="/quota").classic() as server:
        server.wait_for(lambda: "#setup=" in server.log())
        said = server.log()
    assert f"{server.url.replace('127.0.0.1', 'localhost')}/quota/login#setup=" in said
    with Server(tmp_path, codex, QUOTA_PASSWORD="correct horse battery").classic() as server:
        server.wait_for(lambda: server.get("/readyz")[0] == 200)
    assert server.log().count("#setup=") == 1


def test_log_lines_are_json_where_that_is_wanted(tmp_path, codex):
    with Server(tmp_path, codex, 1, QUOTA_LOG_FORMAT="json").classic() as server:
        server.wait_for(lambda: '"account": "a0"' in server.log())
        lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]

    [line] = [line for line in lines if line.get("account") == "a0"]
    assert (line["status"], line["source"], line["level"], line["logger"]) == (
        "ok",
        "network",
        "info",
        "quota_web.refresh.tick",
    )


def test_starting_fails_with_one_line_where_the_instance_folder_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    app = create_app(config.load({"QUOTA_INSTANCE_DIR": str(tmp_path / "file/instance")}))
    with pytest.raises(BadSetting, match="instance"):
        lifecycle.start(app)


def test_a_database_that_stays_busy_is_said_before_gunicorn_takes_the_worker_for_dead(
    tmp_path, monkeypatch
):
    waited = [0.0]

    def busy(_cipher: object) -> None:
        waited[0] += 5.0  # SQLite's own patience
        raise DatabaseBusy

    monkeypatch.setattr(store.schema, "ensure", busy)
    monkeypatch.setattr(clock, "monotonic", lambda: waited[0])
    app = create_app(config.load({"QUOTA_INSTANCE_DIR": str(tmp_path / "instance")}))
    with pytest.raises(DatabaseBusy):
        lifecycle.start(app)

    assert waited[0] < 15


@pytest.mark.parametrize(
    ("error", "status"), [(DatabaseBusy("busy"), 3), (DatabaseDamaged("damaged"), 4)]
)
def test_gunicorn_ends_with_a_status_that_says_whether_starting_again_may_help(
    monkeypatch, capsys, error, status
):
    def fail(_app: object) -> None:
        raise error

    monkeypatch.setattr(lifecycle, "prepare", fail)
    on_starting = runpy.run_path(str(PROJECT / "gunicorn.conf.py"))["on_starting"]
    cfg = SimpleNamespace(preload_app=True, uid=os.geteuid(), gid=os.getegid())
    with pytest.raises(SystemExit) as ended:
        on_starting(SimpleNamespace(cfg=cfg, app=SimpleNamespace(wsgi=lambda: None)))

    assert (ended.value.code, capsys.readouterr().err) == (status, f"{error}\n")


def test_a_first_look_that_fails_leaves_the_start_to_the_workers(tmp_path, monkeypatch):
    def full() -> bool:
        raise DatabaseFull("the disk is full")

    monkeypatch.setattr(worker, "free_dead_claims", full)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    said: list[str] = []
    monkeypatch.setattr(lifecycle.logger, "warning", lambda text, *args: said.append(text % args))
    app = create_app(config.load({"QUOTA_INSTANCE_DIR": str(tmp_path / "instance")}))
    lifecycle.prepare(app)

    assert said == ["the first look for what is due failed: the disk is full"]


def test_gunicorn_touches_no_database_as_another_user_than_its_workers(tmp_path, monkeypatch):
    monkeypatch.setenv("QUOTA_INSTANCE_DIR", str(tmp_path / "instance"))
    app = create_app()
    on_starting = runpy.run_path(str(PROJECT / "gunicorn.conf.py"))["on_starting"]
    cfg = SimpleNamespace(preload_app=True, uid=os.geteuid() + 1, gid=os.getegid())
    on_starting(SimpleNamespace(cfg=cfg, app=SimpleNamespace(wsgi=lambda: app)))

    assert not (tmp_path / "instance").exists()
