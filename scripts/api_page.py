"""Writes the answers in docs/api.md: each is what the app answers on fixed invented accounts.

.venv/bin/python scripts/api_page.py            writes the page
.venv/bin/python scripts/api_page.py --check    exit status 1 where an answer has another shape or
                                                other values, estimates aside
"""

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "docs/api.md"
sys.path.insert(0, str(PROJECT))

from quota_web import config  # noqa: E402 - the path comes first
from quota_web.core import clock  # noqa: E402
from quota_web.demo import fill  # noqa: E402
from quota_web.factory import create_app  # noqa: E402
from quota_web.refresh import hooks  # noqa: E402
from quota_web.services import services  # noqa: E402

#: 2026-11-21T12:05:00Z, when every answer was given.
NOW = 1_795_262_700
ACCOUNTS, DAYS = 2, 30
#: A request, and the answer that follows it.
ANSWER = re.compile(r"```http\n(GET|POST) (\S+)\n```\n\n```(jsonc|csv)\n(.*?)\n```", re.DOTALL)
#: What a better method may change: in these places a value's kind is compared alone.
ESTIMATES = {"forecast", "forecasts", "pool", "exchange", "next"}
WIDTH = 96


@contextmanager
def demo_client() -> Iterator[FlaskClient]:
    """A client of the app on its invented accounts, at NOW."""
    with tempfile.TemporaryDirectory(prefix="quota-api-page-") as folder:
        (account_dir := Path(folder, "account")).mkdir()
        settings = {"QUOTA_INSTANCE_DIR": folder, "QUOTA_ACCOUNT_DIR": str(account_dir)}
        app = create_app(config.load(settings | {"QUOTA_AUTH": "off", "QUOTA_TIMEZONE": "UTC"}))
        with app.app_context(), clock.frozen(NOW):
            services().ready()
            fill.fill(ACCOUNTS, DAYS, NOW)
            hooks.hooks().finished()
            yield app.test_client()


def page_with_answers(page: str, client: FlaskClient) -> str:
    """*page* with today's answer below each request."""

    def answered(found: re.Match[str]) -> str:
        method, path, kind, _ = found.groups()
        got = client.open(path, method=method, headers={"Accept": "application/json"})
        body = shown(got.get_json()) if kind == "jsonc" else got.text.strip().replace("\r", "")
        if got.status_code != HTTPStatus.OK:
            body = f"// HTTP {got.status_code}\n{body}"
        return f"```http\n{method} {path}\n```\n\n```{kind}\n{body}\n```"

    return ANSWER.sub(answered, page)


def shown(value: Any, indent: str = "", used: int = 0) -> str:
    """*value* as JSON: on one line where that has room, and one object of each list of them."""
    line = json.dumps(value, ensure_ascii=False)
    is_list_of_objects = isinstance(value, list) and value and isinstance(value[0], dict)
    if not isinstance(value, dict | list) or not value:
        return line
    if len(line) + len(indent) + used <= WIDTH and not is_list_of_objects:
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        fields = ((json.dumps(name), one) for name, one in value.items())
        rows = [f"{inner}{name}: {shown(one, inner, len(name) + 3)}" for name, one in fields]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    more = f"\n{inner}// … and {len(value) - 1} more" if len(value) > 1 else ""
    return f"[\n{inner}{shown(value[0], inner, 1)}{more}\n{indent}]"


def fixed_parts(page: str) -> list[object]:
    """The answers of *page* without what a better forecast would change."""
    found: list[object] = []
    for *request, kind, body in ANSWER.findall(page):
        text = re.sub(r"^ *// .*\n", "", body + "\n", flags=re.MULTILINE)
        found.append((request, _without_estimates(json.loads(text)) if kind == "jsonc" else text))
    return found


def _without_estimates(value: Any, is_estimate: bool = False) -> Any:
    if isinstance(value, dict):
        items = value.items()
        return {k: _without_estimates(v, is_estimate or k in ESTIMATES) for k, v in items}
    if isinstance(value, list):
        return [_without_estimates(one, is_estimate) for one in value]
    return type(value).__name__.replace("int", "float") if is_estimate else value


def main() -> int:
    """Write the page, or only look whether it is up to date."""
    old = PAGE.read_text(encoding="utf-8")
    with demo_client() as client:
        new = page_with_answers(old, client)
    if "--check" not in sys.argv:
        PAGE.write_text(new, encoding="utf-8")
        return 0
    if fixed_parts(new) == fixed_parts(old):
        return 0
    print("docs/api.md: an answer is out of date: run scripts/api_page.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
