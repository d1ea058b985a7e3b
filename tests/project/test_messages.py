"""Each message of the app is translated, and each translation belongs to a message.

`scripts/messages.py` adds new messages to quota_web/language/*.po and drops unused ones; what is
then empty is translated by hand.
"""

import re
import subprocess
import sys

import pytest
from jinja2 import Environment

from quota_web.core.checkout import PROJECT

TEMPLATES = PROJECT / "quota_web" / "web" / "templates"


def test_every_message_is_translated_and_none_is_left_over():
    ran = subprocess.run(
        [sys.executable, "-X", "utf8", str(PROJECT / "scripts" / "messages.py"), "--check"],
        capture_output=True,
        text=True,
    )

    assert ran.stderr == ""
    assert ran.stdout.splitlines() == ["Every message has its translation."]


#: Texts that are the same in each language, and words that are no text: classes of a page's frame.
SAME = {"Codex Quota", "· Codex Quota", "auth.json", "CSV", "HTTP", "wide", "door"}


def texts_of(template: str) -> list[str]:
    """What stands in a template for a reader, outside of expressions: text between tags, and the
    attributes that are shown or read aloud.
    """
    tokens = Environment(extensions=["jinja2.ext.i18n"]).lex(template)
    html = "".join(
        value if kind == "data" else "\n" if kind.endswith("_begin") else ""
        for _line, kind, value in tokens
    )
    html = re.sub(r"<(code|script)\b[^>]*>.*?</\1>", "\n", html, flags=re.DOTALL)
    shown = re.findall(r'\b(?:title|aria-label|alt|placeholder|data-label)="([^"]*)"', html)
    between = re.sub(r"<[^>]*>", "\n", html).split("\n")
    return [text.strip() for text in shown + between if re.search("[A-Za-z]{2}", text)]


def test_a_text_without_its_mark_would_be_seen():
    template = '<p title="Zero">One {{ _("two") }} <code>three</code></p>{% if x %}four{% endif %}'

    assert texts_of(template) == ["Zero", "One", "four"]


@pytest.mark.parametrize(
    "name", sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))
)
def test_every_text_of_a_template_is_a_message(name):
    found = texts_of((TEMPLATES / name).read_text(encoding="utf-8"))

    assert [text for text in found if text not in SAME] == []
