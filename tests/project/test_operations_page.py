"""What the pages about operations, tables and reliability promise is there."""

import re
import subprocess
import sys

import pytest
from sqlalchemy import text

from quota_web import store
from quota_web.core import clock
from quota_web.core.checkout import PROJECT
from quota_web.reports import metrics
from quota_web.services import services
from tests.fakes import NOW
from tests.operations import fill_history, make_app

DOCS = PROJECT / "docs"
SCHEMA, OPERATIONS = (
    (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("schema", "operations")
)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    app = make_app(tmp_path_factory.mktemp("docs") / "instance")
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        fill_history(1)
        yield app
        store.database.forget_troubles()


@pytest.mark.parametrize("query", re.findall(r"```sql\n(.+?);\n```", SCHEMA, re.DOTALL))
def test_examples_of_sql_answer(app, query):
    with store.database.reading() as conn:
        conn.execute(text(query)).all()
        plan = " ".join(row[3] for row in conn.execute(text(f"EXPLAIN QUERY PLAN {query}")))

    assert plan


def test_the_view_shows_every_reading_as_what_is_left(app):
    with store.database.reading() as conn:
        shown = conn.execute(text("SELECT used_percent, remaining_percent FROM snapshot")).all()

    assert len(shown) == 96
    assert all(left == min(100, max(0, 100 - used)) for used, left in shown)


def test_every_table_is_explained():
    assert set(
        re.findall(r"^\| `(\w+)` \| (?:a|an|one|something|what)", SCHEMA, re.MULTILINE)
    ) >= set(store.models.metadata.tables)


def test_every_metric_is_listed_and_every_listed_one_is_there(app):
    body = metrics.page(services().scope, NOW, 3_600)[0].decode()
    told = set(re.findall(r"^# TYPE (\S+)", body, re.MULTILINE))
    listed = {
        name.removesuffix("_sum").removesuffix("_total")
        for name in re.findall(r"`(codex_quota_\w+)`", OPERATIONS)
    }

    assert listed == {name.removesuffix("_total") for name in told}


def test_the_table_of_faults_is_that_of_the_figures():
    done = subprocess.run(
        [sys.executable, "scripts/reliability.py", "--check"],
        cwd=DOCS.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "reliability: the page is up to date\n"), (
        done.stdout + done.stderr
    )
