"""The newest facts of the log on `/` and on an account's page: the log's own rows, in its words."""

import re

import pytest

from quota_web.core import clock
from tests.fakes import NOW
from tests.pages import counted

HOUR = 3_600


@pytest.fixture
def log(installation, browser):
    """Bob's week ran out and came back; of alice there is only what is as expected."""
    for name in ("alice", "bob"):
        installation.file(name)
    installation.refresh()
    installation.execute("DELETE FROM event")
    rows = [
        ("used_up", 25, "alice"),
        *(("reset_scheduled", hours, "alice") for hours in range(1, 9)),
        ("failing_since", 9, "bob"),
        ("fine_again", 8, "bob"),
        *((kind, hours, "bob") for hours in (7, 5, 3) for kind in ("used_up", "plan_changed")),
    ]
    for kind, hours, name in rows:
        installation.execute(
            "INSERT INTO event (at, kind, actor, account_id, window_id, data) "
            f"SELECT {NOW - hours * HOUR}, '{kind}', 'readings', a.id, w.id, '{{}}' FROM account a "
            f"JOIN limit_window w ON w.account_id = a.id AND w.key = 'weekly' WHERE name = '{name}'"
        )
    change(installation)
    return installation


def change(installation) -> None:
    installation.execute("UPDATE site_state SET data_version = data_version + 1")


def lines(page: str, start: str, tag: str) -> list[str]:
    """The words of each line between *start* and the section's end."""
    found = page.partition(start)[2].partition("</section>")[0]
    parts = re.findall(rf"<{tag}[ >].*?</{tag}>", found.partition("<tbody>")[2] or found, re.S)
    return [" ".join(re.sub(r"<[^>]+>", " ", part).split()) for part in parts]


def test_on_the_first_page_stand_five_facts_of_a_day_in_the_words_of_the_log(log, browser):
    said = lines(browser.get("/").text, 'class="lately"', "li")
    listed = lines(browser.get("/events").text, 'class="plain log', "tr")

    assert len(said) == 5, said
    assert all("bob" in line for line in said), "resets as scheduled stand in the ribbon"
    words = {line.partition("bob")[2] for line in said}
    assert words == {" Used up · Weekly", " Plan changed · Weekly"}
    assert words <= {line.partition("bob")[2] for line in listed}


def test_where_nothing_happened_within_a_day_the_first_page_says_nothing(log, browser):
    with clock.frozen(NOW + 30 * HOUR):
        change(log)
        assert 'class="lately"' not in browser.get("/").text


def test_the_first_page_reads_the_log_with_one_query(log, browser):
    with counted(browser) as statements:
        browser.get("/")

    assert len([text for text in statements if "FROM event" in text]) == 1


def test_an_account_lists_its_outage_as_one_row_as_the_log_does(log, browser):
    said = lines(browser.get("/accounts/bob").text, 'id="events"', "tr")

    assert not any("Again fine" in line for line in said), said
    [outage] = [line for line in said if "–" in line]
    assert "No answer · Weekly 11:00 – 12:00" in outage
    listed = lines(browser.get("/events").text, 'class="plain log', "tr")
    assert any("No answer · Weekly 11:00 CST – 12:00 CST" in line for line in listed)
    alices = lines(browser.get("/accounts/alice").text, 'id="events"', "tr")
    assert any("Reset as scheduled" in line for line in alices)
