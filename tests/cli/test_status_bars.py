"""`flask quota status` for status bars and prompts, from outside."""

import json
import re
from xml.etree import ElementTree

import pytest

from tests.fakes import FakeResponse, usage_body


def refresh(installation, codex, **used):
    """One answer of each account with these five-hour and weekly percents."""
    for name, percents in used.items():
        installation.file(name)
        codex.answers(f"acct-{name}", FakeResponse(body=usage_body(*percents)))
    installation.run("refresh")


def test_waybar_gets_one_json_object_with_markup(installation, codex):
    refresh(installation, codex, alice=(12, 80), bob=(12, 40))

    document = json.loads(installation.run("status", "--format", "waybar").stdout)
    assert {k: document[k] for k in ("text", "alt", "class", "percentage")} == {
        "text": "bob 88%/60%",
        "alt": "usable",
        "class": "good",
        "percentage": 60,
    }
    assert "alice" in document["tooltip"]
    one = json.loads(installation.run("status", "--format", "waybar", "--max", "1").stdout)
    assert "alice" not in one["tooltip"]


@pytest.mark.parametrize(
    ("used", "colour"), [((12, 40), "green"), ((80, 40), "yellow"), ((12, 95), "red")]
)
def test_tmux_gets_a_colour_by_what_is_left(installation, codex, used, colour):
    refresh(installation, codex, alice=used)

    found = installation.run("status", "--format", "tmux").stdout
    left = "/".join(f"{100 - percent}%" for percent in used)
    assert found == f"#[fg={colour}]alice {left}#[default]\n"


def test_starship_gets_the_account_to_use_or_as_many_as_wanted(installation, codex):
    refresh(installation, codex, alice=(12, 80), bob=(12, 40))

    assert installation.run("status", "--format", "starship").stdout == "bob 88%/60%\n"
    assert installation.run("status", "--format", "starship", "--max", "2").stdout == (
        "bob 88%/60% · alice 88%/20%\n"
    )


HOSTILE = (
    "a\"b'c`id`$(id);&|",
    "#(touch x)",
    "#{pid}#S#",
    "a#[bg=red]<b>",
    "##[fg=blue]",
    "<i>&amp;<!--]]>",
    "{}%H{text}%n",
    "-rf --json",
)


def as_tmux_shows(line):
    """The text of a line of tmux without its styles, as its manual has it: `##` is one `#`, and any
    other begins something; fails on that.
    """
    shown = ""
    for part in re.findall(r"#\[[^\]]*\]|##|[^#]+|#.?", line):
        if part == "##" or not part.startswith("#"):
            shown += part.replace("##", "#")
        else:
            assert part in {"#[fg=green]", "#[fg=red]", "#[fg=yellow]", "#[default]"}
    return shown


def test_no_name_gives_orders_to_a_status_bar_or_a_terminal(installation, codex):
    for number, name in enumerate(HOSTILE):
        installation.file(name, f"acct-{number}")
        codex.answers(f"acct-{number}", FakeResponse(body=usage_body(12, 10 + number)))
    # Such a name is none; whatever is said of its file is harmless.
    installation.file("x\x1b]0;title\x07\n", "acct-x")
    said = [installation.run("refresh")]

    for form in ("waybar", "tmux", "starship", "oneline", "table"):
        said.append(installation.run("status", "--format", form, "--max", "9"))
    waybar, tmux, *lines = (ran.stdout for ran in said[1:])
    assert [name for text in (as_tmux_shows(tmux), *lines) for name in HOSTILE
            if name not in text] == []  # fmt: skip
    document = json.loads(waybar)
    assert waybar.count("\n") == 1
    tooltip = ElementTree.fromstring(document["tooltip"])
    assert (tooltip.tag, len(tooltip)) == ("tt", 0)
    assert [name for name in HOSTILE if name not in (tooltip.text or "")] == []
    text = ElementTree.fromstring(f"<markup>{document['text']}</markup>")
    assert (len(text), (text.text or "").split(" 88%")[0] in HOSTILE) == (0, True)

    for used, code in ((12, 0), (97, 10), (100, 11)):
        for number in range(len(HOSTILE)):
            codex.answers(f"acct-{number}", FakeResponse(body=usage_body(used, 40)))
        installation.refresh(force=True)
        for name in HOSTILE:
            said.append(installation.run("guard", "--json", "--", name))
            told = json.loads(said[-1].stdout)
            assert (told["account"], told["exit_status"]) == (name, code)
            assert said[-1].exit_code == code
    said += [installation.run("guard", "\x1b[31mnone"), installation.run("next")]
    assert (said[-2].exit_code, said[-1].exit_code) == (1, 75)
    assert [ran.output for ran in said if not ran.output.replace("\n", "").isprintable()] == []


def test_without_accounts_a_status_bar_says_so(installation):
    assert installation.run("status", "--format", "tmux").stdout == "no account\n"
    document = json.loads(installation.run("status", "--format", "waybar").stdout)
    assert (document["text"], document["class"]) == ("no account", "none")
