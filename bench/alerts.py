"""Webhooks through the outbox, against a bare loop of requests' posts to the same receiver."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import requests
from flask import Flask
from sqlalchemy import insert

from bench.harness import Report, Result, alternate, main
from bench.place import place
from quota_web import store
from quota_web.alerts import channel_service
from quota_web.alerts.channel_service import ChannelDraft
from quota_web.alerts.delivery_pass import DeliveryPass
from quota_web.alerts.delivery_plan import Saying
from quota_web.alerts.senders import Senders
from quota_web.core import clock
from quota_web.core.secret import Secret
from quota_web.services import services
from quota_web.store.channels import WEBHOOK, ChannelRules
from quota_web.store.models import event

RECEIVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
CHANNELS = 4


def run(report: Report) -> None:
    messages = report.size.pick(20, 1_000, 1_000)
    with receiver() as url, place() as here:
        app = here.app(QUOTA_ALERT_TARGETS="127.0.0.1")
        with app.app_context():
            services().ready()
            _add_channels(url)
        sides = {
            "ours": partial(_through_the_outbox, app, messages),
            "bare": partial(_bare, url, messages),
        }
        samples = alternate(sides, report.size.rounds)
    what = f"{messages:,} webhooks sent through the outbox"
    result = Result(
        "25", what, "times the rate", samples["ours"], samples["bare"], "bare loop of requests.post"
    )
    result.unit, result.wanted = "messages/s", ">= 0.25"
    report.add(result)


@contextmanager
def receiver() -> Iterator[str]:
    """Answers every POST, in a process of its own."""
    process = subprocess.Popen([sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
    finally:
        process.kill()
        process.wait()


def _add_channels(url: str) -> None:
    senders = Senders(services().settings)
    for number in range(CHANNELS):
        draft = ChannelDraft(ChannelRules(f"channel {number}"), WEBHOOK, Secret(url))
        channel_service.create(services().cipher, senders, draft, clock.now(), "bench")
    senders.close()


def _through_the_outbox(app: Flask, messages: int) -> float:
    """Messages a second, each written down, claimed, sent, and written down as sent."""
    with app.app_context():
        now, data = clock.now(), json.dumps({"channel": "x", "since": 1_795_262_400})
        row = {"at": now, "kind": "site.channel_failing", "actor": "bench", "data": data}
        with store.database.transaction() as tx:
            ids = [one.id for one in store.channels.list_all(tx)]
            for _ in range(messages // CHANNELS):
                event_id = store.accounts.new_id(tx.execute(insert(event).values(row)))
                store.deliveries.add(tx, [(event_id, each) for each in ids], now)
        settings, present = services().settings, services()
        senders = Senders(settings)
        work = DeliveryPass(senders, present.cipher, Saying(None, None, None), present.stop)
        started = time.perf_counter()
        while work.run():
            pass
        spent = time.perf_counter() - started
        senders.close()
    return messages / spent


def _bare(url: str, messages: int) -> float:
    body = json.dumps({"type": "site.test", "data": {"text": "x" * 200}})
    started = time.perf_counter()
    for _ in range(messages):
        requests.post(url, data=body, timeout=10)
    return messages / (time.perf_counter() - started)


if __name__ == "__main__":
    main("alerts", run)
