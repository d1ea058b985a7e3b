"""What the pages for people promise: every setting is listed, every link leads somewhere."""

import ast
import re
import subprocess
import sys

import pytest

from quota_web import config
from quota_web.cli.quota import quota
from quota_web.core.checkout import PROJECT
from quota_web.factory import create_app

PAGES = [page for page in [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")] if page.is_file()]

#: Variables of the test run, not of the app.
SWITCHES = {"QUOTA_FAULTS", "QUOTA_FAULT_RUNS", "QUOTA_REQUIRE_REAL_PARTS"}


def variables(text: str) -> set[str]:
    """The settings that *text* names; a secret's file is the same setting."""
    return {
        name.removesuffix("_FILE") if name != "QUOTA_STATE_FILE" else name
        for name in re.findall(r"\bQUOTA_[A-Z_]+[A-Z]\b", text)
    }


def test_settings_page_lists_exactly_the_settings_that_are_read():
    read = variables((PROJECT / "quota_web/config.py").read_text(encoding="utf-8"))

    assert variables((PROJECT / "docs/settings.md").read_text(encoding="utf-8")) == read


def test_the_tables_of_the_settings_page_are_up_to_date():
    script = str(PROJECT / "scripts" / "settings_page.py")
    checked = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_pages_name_no_setting_that_does_not_exist(page):
    read = variables((PROJECT / "quota_web/config.py").read_text(encoding="utf-8"))

    assert variables(page.read_text(encoding="utf-8")) - SWITCHES <= read


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    anchors = {
        f"#{re.sub(r'[^a-z0-9 -]', '', title.lower()).replace(' ', '-')}"
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    links = [
        link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("https://")
    ]

    assert [
        link
        for link in links
        if link not in anchors and not (page.parent / link.partition("#")[0]).is_file()
    ] == []


def shown_to_people() -> dict[str, str]:
    """What people read of commands: the pages, the templates, and the strings of the program that
    are no docstrings.
    """
    found = {
        str(page): page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md"
    }
    for file in (PROJECT / "quota_web").rglob("*.html"):
        found[str(file)] = file.read_text(encoding="utf-8")
    for file in (PROJECT / "quota_web").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        strings = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in docs)
        found[str(file)] = "\n".join(n.value for n in strings if isinstance(n.value, str))
    return found


def test_every_command_is_shown_as_it_works_from_a_fresh_checkout():
    wrong = re.compile(r"(\.venv/bin/flask|flask quota (?!…)\w).*")

    found = {place: wrong.findall(text) for place, text in shown_to_people().items()}
    assert {place: words for place, words in found.items() if words} == {}


def test_every_command_that_is_shown_exists(tmp_path):
    create_app(config.load({"QUOTA_INSTANCE_DIR": str(tmp_path)}), pages=False)
    shown = {
        words
        for text in shown_to_people().values()
        for words in re.findall(r"scripts/quota ([a-z][a-z-]*)", text)
    }

    assert {"status", "refresh", "demo", "accounts"} <= shown
    assert shown <= set(quota.commands)


def test_files_that_contributors_are_sent_to_exist():
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*/?(?:\.py)?)`", text))
    files = {name for name in named if "/" in name or name.endswith(".py")}

    assert len(files) > 20
    assert {
        name
        for name in files
        if not ((PROJECT / name).exists() or (PROJECT / "quota_web" / name).exists())
    } == set()
