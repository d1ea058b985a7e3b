"""The samples in docs/monitoring: every name in them is one of `/metrics`, and a real Prometheus
takes the rules, reads the service and answers each query of the dashboard.
"""

import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from quota_web.core.checkout import PROJECT
from quota_web.reports import metrics
from quota_web.services import services
from tests.fakes import NOW, FakeCodex
from tests.operations import opened
from tests.parts import require
from tests.servers import Server

FOLDER = PROJECT / "docs" / "monitoring"
RULES, DASHBOARD = FOLDER / "alerts.yml", FOLDER / "grafana.json"
#: What Grafana puts into a query.
VARIABLES = {"$account": ".*", "$window": ".*", "$__rate_interval": "4m"}


def queries() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_every_metric_of_rules_and_dashboard_is_one_of_ours(instance_dir):
    with opened(instance_dir):
        body, _ = metrics.page(services().scope, NOW, 3_600)
    known = set()
    for family in text_string_to_metric_families(body.decode()):
        endings = {"counter": ["_total"], "summary": ["_sum", "_count"]}.get(family.type, [""])
        known |= {family.name + ending for ending in endings}

    named = set(re.findall(r"codex_quota_\w+", RULES.read_text() + DASHBOARD.read_text()))

    assert len(named) > 15
    assert named - known == set()


def test_promtool_takes_the_rules():
    promtool = Path(require("prometheus")).with_name("promtool")

    subprocess.run([promtool, "check", "rules", RULES], check=True, capture_output=True)


def test_prometheus_reads_the_service_and_answers_every_query(tmp_path):
    program = require("prometheus")
    (tmp_path / "service").mkdir()
    with FakeCodex() as codex, Server(tmp_path / "service", codex, accounts=1).classic() as server:
        server.wait_for(lambda: server.rows("SELECT 1 FROM account WHERE taken_at IS NOT NULL"))
        with prometheus(program, tmp_path / "prometheus", server) as ask:
            server.wait_for(lambda: ask("query", query='up{job="codex-quota"} == 1')["result"])
            left = ask("query", query='codex_quota_remaining_percent{window="weekly"}')["result"]
            assert [one["metric"]["account"] for one in left] == ["a0"]

            for query in queries():
                for variable, value in VARIABLES.items():
                    query = query.replace(variable, value)
                ask("query", query=query)
            server.wait_for(lambda: set(healths(ask)) == {"ok"})


def healths(ask: Any) -> list[str]:
    return [rule["health"] for group in ask("rules")["groups"] for rule in group["rules"]]


@contextmanager
def prometheus(program: str, folder: Path, server: Server) -> Iterator[Any]:
    """A Prometheus with our sample configuration; what asks its API and returns the data."""
    folder.mkdir()
    shutil.copy(RULES, folder)
    sample = (FOLDER / "prometheus.yml").read_text()
    for said, here in (
        ("localhost:8081", server.url.removeprefix("http://")),
        ("scrape_interval: 60s", "scrape_interval: 1s"),
    ):
        assert said in sample
        sample = sample.replace(said, here)
    config = folder / "prometheus.yml"
    config.write_text(f"global: {{evaluation_interval: 1s}}\n{sample}")
    (folder / "token").write_text(token(server))
    log = folder / "log"
    options = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    with (
        log.open("wb") as said_to,
        subprocess.Popen(
            [program, *options, "--web.listen-address=127.0.0.1:0"], stdout=said_to, stderr=said_to
        ) as process,
    ):
        try:
            listening = re.compile(r'"?Listening on"? address=(127\.0\.0\.1:[1-9]\d*)')
            server.wait_for(lambda: listening.search(log.read_text()))
            found = listening.search(log.read_text())
            assert found is not None
            # It listens before its storage is open, and answers 503 until then.
            server.wait_for(lambda: "Server is ready to receive web requests" in log.read_text())
            yield lambda path, **args: answer(f"http://{found[1]}/api/v1/{path}", **args)
        finally:
            process.terminate()


def answer(url: str, **args: str) -> Any:
    try:
        with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(args)}", timeout=10) as body:
            return json.load(body)["data"]
    except urllib.error.HTTPError as error:
        pytest.fail(f"{args}: {error.read().decode()}")


def token(server: Server) -> str:
    command = [sys.executable, "-m", "flask", "quota", "token", "create", "prometheus"]
    made = subprocess.run(command, cwd=PROJECT, env=server.env, check=True, capture_output=True)
    found = re.search(rb"cq_[\w-]+", made.stdout)
    assert found is not None
    return found[0].decode()
