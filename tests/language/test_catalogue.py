"""Translations are read once, and none of them can break what is said."""

import subprocess
import sys
import threading

import pytest

from quota_web.core.checkout import PROJECT
from quota_web.core.language import gettext, ngettext, use_language
from quota_web.language import catalogue
from quota_web.language.catalogue import mistakes, translations

PO = r"""
msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\nPlural-Forms: nplurals=1; plural=0;\n"

msgid "Used up until %(time)s"
msgstr "%(time)s 前已用完"

msgid "%(name)s is paused"
msgstr "%(nmae)s 已暂停"

msgid "half of %(name)s"
msgstr "%(name)s 的 50 % 左右"

msgid "%(num)s account"
msgid_plural "%(num)s accounts"
msgstr[0] "%(num)s 个账号"
"""


@pytest.fixture
def _file(tmp_path, monkeypatch):
    (tmp_path / "zh.po").write_text(PO, encoding="utf-8")
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)
    monkeypatch.setattr(catalogue, "_read", {})


@pytest.mark.usefixtures("_file")
def test_a_message_is_said_as_its_file_has_it():
    with use_language("zh"):
        assert gettext("Used up until %(time)s", time="19:01") == "19:01 前已用完"
        assert ngettext("%(num)s account", "%(num)s accounts", 1) == "1 个账号"
        assert gettext("not in the file") == "not in the file"


@pytest.mark.usefixtures("_file")
def test_a_wrong_format_in_a_file_is_said_in_english():
    with use_language("zh"):
        assert gettext("%(name)s is paused", name="bob") == "bob is paused"
        assert gettext("half of %(name)s", name="bob") == "half of bob"


@pytest.mark.usefixtures("_file")
def test_threads_read_a_file_once():
    found: list[object] = []
    together = threading.Barrier(4)

    def read():
        together.wait(10)
        found.append(translations("zh"))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(map(id, found))) == 1


@pytest.mark.parametrize(
    ("message", "string"),
    [
        ("%(name)s left", "剩余"),
        ("left", "剩余 %(name)s"),
        ("%(a)s of %(b)s", "%(a)s"),
        ("<b>%(a)s</b>", "%(a)s"),
        ("50 %% left", "剩余 50 %"),
        ("50 % left", "剩余 50 %%"),
        (("%(num)s row", "%(num)s rows"), ("行",)),
    ],
)
def test_places_and_tags_that_differ_are_mistakes(message, string):
    assert mistakes(message, string) != []


@pytest.mark.parametrize(
    ("message", "string"),
    [
        ("%(a)s of %(b)s", "%(b)s 的 %(a)s"),
        ("50 %% left", "剩余 50 %%"),
        (("one row", "%(num)s rows"), ("%(num)s 行",)),
        ("<b>%(a)s</b> left", "剩余 <b>%(a)s</b>"),
        ("not translated yet", ""),
    ],
)
def test_the_same_places_in_another_order_are_none(message, string):
    assert mistakes(message, string) == []


def test_a_command_loads_babel_for_another_language_alone():
    code = (
        "import sys\n"
        "from quota_web.factory import create_app\n"
        "from quota_web.core.language import gettext, use_language\n"
        "app = create_app(pages=False)\n"
        "with use_language('en'): gettext('Settings')\n"
        "assert 'babel' not in sys.modules\n"
        "with use_language('zh'): print(gettext('Settings'))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code], cwd=PROJECT, capture_output=True, text=True
    )

    assert (ran.stdout, ran.stderr) == ("设置\n", "")
