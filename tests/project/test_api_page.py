"""What docs/api.md promises: its answers are the app's, and no route and no error is left out."""

import json
import re
import subprocess
import sys

from quota_web.core.checkout import PROJECT

PAGE = (PROJECT / "docs" / "api.md").read_text(encoding="utf-8")
DESCRIBED = json.loads((PROJECT / "quota_web/web/openapi.json").read_text(encoding="utf-8"))
#: Only a browser's session may ask for it.
OF_A_SESSION = "/api/sign-in/{id}"


def test_its_answers_are_those_of_the_app():
    script = str(PROJECT / "scripts" / "api_page.py")
    checked = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert len(re.findall(r"^```http\n.*\n```\n\n```(?:jsonc|csv)\n", PAGE, re.MULTILINE)) >= 11


def test_it_has_every_route_that_a_token_may_ask():
    named = set(re.findall(r"\bGET (/api/[a-z./]+)", PAGE))

    assert named == set(DESCRIBED["paths"]) - {OF_A_SESSION}


def test_its_table_has_every_code_of_an_error():
    table = PAGE.partition("| status | `code` |")[2].partition("\n\n")[0]
    words = DESCRIBED["components"]["schemas"]["Error"]["properties"]["error"]["properties"]

    assert set(re.findall(r"`([a-z_]+)`", table)) - {"message"} == set(words["code"]["enum"])
