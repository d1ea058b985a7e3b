"""Pages are in the language of who reads them; what programs read is English."""

import json
import re
from urllib.parse import unquote

import pytest
from babel.messages.extract import extract_from_dir

from quota_web.core.language import current_language
from quota_web.web import script_words
from quota_web.web.language import COOKIE
from tests.browser import Browser, make_app, make_token
from tests.fakes import NOW
from tests.pages import visiting

ZH = "zh-CN,zh;q=0.9,en;q=0.8"


@pytest.fixture
def app(instance_dir):
    return make_app(instance_dir)


@pytest.fixture
def browser(app):
    return Browser(app).signed_in()


def is_chinese(page: str) -> bool:
    assert ('<html lang="zh-Hans">' in page) != ('<html lang="en">' in page)
    assert ("退出登录" in page) != ("Sign out" in page)
    return "退出登录" in page


def test_a_page_is_in_the_language_that_the_browser_asks_for(browser):
    assert is_chinese(browser.get("/settings", Accept_Language=ZH).text)
    assert not is_chinese(browser.get("/settings", Accept_Language="en-US,en").text)
    assert not is_chinese(browser.get("/settings").text)


def test_the_switch_wins_until_it_is_taken_back(browser):
    page = browser.get("/settings", Accept_Language="en").text
    assert 'name="language" value="" checked' in page

    answer = browser.post("/settings/language", language="zh")
    page = browser.get("/settings", Accept_Language="en").text
    assert (answer.status_code, answer.location) == (303, "/settings")
    assert is_chinese(page)
    assert 'name="language" value="zh" checked' in page

    browser.post("/settings/language", language="")
    assert browser.client.get_cookie(COOKIE) is None
    assert not is_chinese(browser.get("/settings", Accept_Language="en").text)


def test_the_switch_alone_sets_the_cookie(browser):
    for path in ("/", "/settings", "/auth", "/events"):
        browser.get(path, Accept_Language=ZH)

    assert browser.client.get_cookie(COOKIE) is None


def test_the_cookie_is_for_this_app_alone(browser):
    header = browser.post("/settings/language", language="zh").headers["Set-Cookie"]

    assert header.startswith(f"{COOKIE}=zh; ")
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(header.split("; "))


@pytest.mark.parametrize("nonsense", ["fr", "../zh", "ZH\n", "x" * 3000])
def test_an_unknown_language_is_as_the_browser_says(browser, nonsense):
    browser.post("/settings/language", language=nonsense)
    assert browser.client.get_cookie(COOKIE) is None

    browser.client.set_cookie(COOKIE, nonsense.strip(), domain="localhost")
    assert is_chinese(browser.get("/settings", Accept_Language=ZH).text)


def test_the_switch_wants_its_form(browser):
    answer = browser.client.post("/settings/language", data={"language": "zh"})

    assert answer.status_code == 400
    assert browser.client.get_cookie(COOKIE) is None


def test_the_setting_is_for_browsers_that_ask_for_neither(instance_dir):
    browser = Browser(make_app(instance_dir, QUOTA_LANGUAGE="zh")).signed_in()

    assert is_chinese(browser.get("/settings").text)
    assert is_chinese(browser.get("/settings", Accept_Language="fr").text)
    assert not is_chinese(browser.get("/settings", Accept_Language="en").text)


def test_pages_say_by_what_they_differ(browser):
    answer = browser.get("/settings")

    assert {"Cookie", "Accept-Language"} <= set(answer.vary)


def test_programs_are_answered_in_english(app, browser):
    script = make_token(app) | {"Accept-Language": ZH}

    def both(path, **headers):
        return [
            app.test_client().get(path, headers={**script, **headers}).json["error"]["message"],
            browser.get(path, Accept_Language=ZH, Accept="application/json").json["error"][
                "message"
            ],
        ]

    assert both("/api/accounts/nobody") == ["There is no such page"] * 2
    assert both("/no/such/page") == ["There is no such page"] * 2


def test_a_request_leaves_no_language_behind(browser):
    browser.get("/settings", Accept_Language=ZH)

    assert current_language() == "en"


def test_a_cached_part_is_stored_in_each_language(installation, codex):
    installation.file("alice")
    installation.refresh()
    with visiting(installation) as browser:
        pages = [browser.get("/", Accept_Language=a).text for a in (ZH, "en", ZH)]

    assert [is_chinese(page) for page in pages] == [True, False, True]


def test_data_in_a_message_is_escaped(app):
    with app.test_request_context():
        shown = app.jinja_env.from_string('{{ _("%(name)s left", name=n) }}{{ _("a") }}')

        assert shown.render(n="<b>&") in ("&lt;b&gt;&amp; lefta",)


def test_a_refresh_tells_a_page_in_its_language_and_a_program_in_english(installation):
    installation.file("alice")
    with visiting(installation) as browser:
        headers = {"Accept": "application/json", "Accept-Language": ZH}
        told = browser.post("/refresh", headers=headers)
        english = browser.post("/refresh", headers={"Accept": "application/json"})

    assert told.headers["X-Quota-Refresh"] == "Asked 1: 1 new reading"
    assert unquote(told.headers["X-Quota-Refresh-Words"]) == "已请求 1 个：1 个新读数"
    assert "X-Quota-Refresh-Words" not in english.headers


def test_what_pages_make_for_programs_is_english(installation):
    installation.environment["QUOTA_STATE_FILE"] = str(installation.folder / "state.json")
    installation.file("alice")
    installation.file("bob", exp=NOW - 60)
    with visiting(installation) as browser:
        browser.post("/refresh", headers={"Accept-Language": ZH})
        page = browser.get("/accounts/bob", Accept_Language=ZH).text
        results = browser.get("/api/results", Accept_Language=ZH).text
    state = (installation.folder / "state.json").read_text(encoding="utf-8")

    assert "访问令牌已于" in page
    for document in (results, state):
        assert "access token expired at" in document
        assert '"5 hours"' in document
        assert document.isascii()


def test_a_page_brings_the_words_of_its_scripts_where_it_is_not_english(browser):
    english = browser.get("/settings").text
    chinese = browser.get("/settings", Accept_Language=ZH).text
    block = re.search(r'<script type="application/json" id="words">(.*?)</script>', chinese)

    assert 'id="words"' not in english
    assert block is not None
    words = json.loads(block[1])
    assert words["Copied"] == "已复制"
    assert {key for key, value in words.items() if key == value} == set()


def test_the_words_of_scripts_are_those_that_the_extractor_finds():
    found = {
        message
        for *_, message, _comments, _context in extract_from_dir(
            script_words.SCRIPTS, [("**.js", "javascript")], keywords={"_": None}
        )
    }

    assert set(script_words.messages()) == found


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [("/no/such", 404, "页面不存在"), ("/events?kind=x", 400, "kind 必须是以下之一")],
)
def test_errors_are_said_in_the_language_of_the_page(browser, path, status, sentence):
    answer = browser.get(path, Accept_Language=ZH)

    assert (answer.status_code, sentence in answer.text) == (status, True)


def test_the_form_says_what_is_wrong_in_the_language_of_the_page(browser):
    answer = browser.post(
        "/auth/save",
        headers={"Accept-Language": ZH},
        name="alice",
        auth_json='{"tokens": {"access_token": "sk-proj-' + "x" * 40 + '"}}',
    )

    assert answer.status_code == 422
    assert "只含 API 密钥，没有 ChatGPT 额度" in answer.text
    assert 'lang="zh-Hans"' in answer.text


def test_strangers_are_asked_in_their_language(app):
    page = app.test_client().get("/login", headers={"Accept-Language": ZH}).text

    assert "<h1>登录</h1>" in page
