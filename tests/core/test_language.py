"""Messages are said in the language that is in force, and in English where there is none."""

import threading
from gettext import NullTranslations

import pytest

from quota_web.core import language
from quota_web.core.language import current_language, gettext, mark, ngettext, use_language


class Shouting(NullTranslations):
    def gettext(self, message: str) -> str:
        return message.upper().replace("%(NAME)S", "%(name)s").replace("%(NUM)S", "%(num)s")

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid2)


@pytest.fixture
def _shouting(monkeypatch):
    monkeypatch.setattr(language, "_sources", [lambda _code: Shouting()])


def test_english_is_the_message_with_its_data():
    assert gettext("%(name)s is at 50 %%", name="alice") == "alice is at 50 %"
    assert [ngettext("%(num)s account", "%(num)s accounts", n) for n in (0, 1, 2)] == [
        "0 accounts",
        "1 account",
        "2 accounts",
    ]
    assert ngettext("%(num)s row", "%(num)s rows", 1200, num="1,200") == "1,200 rows"


@pytest.mark.usefixtures("_shouting")
def test_a_block_speaks_its_language_and_then_the_one_before():
    with use_language("zh"):
        assert gettext("hello %(name)s", name="bob") == "HELLO bob"
        with use_language(None):
            assert gettext("hello %(name)s", name="bob") == "hello bob"
        assert (current_language(), ngettext("a", "%(num)s b", 1)) == ("zh", "1 B")

    assert (current_language(), gettext("hello")) == ("en", "hello")


@pytest.mark.usefixtures("_shouting")
def test_a_thread_begins_in_english():
    heard: list[str] = []
    with use_language("zh"):
        thread = threading.Thread(target=lambda: heard.append(gettext("hello")))
        thread.start()
        thread.join()

    assert heard == ["hello"]


def test_a_constant_is_marked_and_stays_as_it_is():
    assert mark("Low") == "Low"


def test_a_language_that_the_app_has_not_is_refused():
    with pytest.raises(ValueError, match="fr"), use_language("fr"):
        pass
