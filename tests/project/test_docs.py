"""What the pages for people promise: every setting is listed, every link leads somewhere."""

import re

import pytest

from quota_web.config import PROJECT

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
