"""A real browser on plain http under a name, behind an nginx that hides where a request comes
from.
"""

import os
import subprocess

import pytest
from playwright.sync_api import expect

from tests import parts
from tests.chromium import PASSWORD, visit
from tests.fakes import FakeCodex
from tests.project.test_deployment import TEMPORARY, free_port, wait_for
from tests.servers import Server

#: chromium.ARGUMENTS makes it this machine. Only under such a name does a browser leave
#: Sec-Fetch-Site out.
HOST = "quota.test"
CONFIG = """
pid {folder}/pid; daemon off; {user} events {{}}
http {{
  access_log off; {paths}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass {upstream}; proxy_set_header Host $http_host;
      proxy_hide_header Referrer-Policy; add_header Referrer-Policy no-referrer always;
    }}
  }}
}}
"""


@pytest.fixture
def address(tmp_path):
    """The address of the proxy."""
    program, port = parts.require("nginx"), free_port()
    with (
        FakeCodex() as codex,
        Server(
            tmp_path, codex, QUOTA_PASSWORD=PASSWORD, QUOTA_TRUSTED_HOSTS=HOST
        ).classic() as server,
    ):
        paths = " ".join(f"{name}_temp_path {tmp_path}/{name};" for name in TEMPORARY)
        user = "user root;" if os.geteuid() == 0 else ""
        config = tmp_path / "nginx.conf"
        config.write_text(
            CONFIG.format(folder=tmp_path, user=user, paths=paths, port=port, upstream=server.url)
        )
        with subprocess.Popen(
            [program, "-c", config, "-e", tmp_path / "nginx.log", "-p", tmp_path]
        ) as process:
            wait_for(port)
            yield f"http://{HOST}:{port}"
            process.terminate()


def test_forms_work_where_a_strict_referrer_policy_makes_the_origin_null(chromium, address):
    sent: list[dict[str, str]] = []
    with visit(chromium, address) as page:
        page.on(
            "request",
            lambda request: (
                sent.append(request.all_headers()) if request.method == "POST" else None
            ),
        )
        page.goto("/login")
        page.fill("#password", PASSWORD)
        page.click("main button.main")
        expect(page.locator("h1")).to_have_text("No accounts yet")
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_title("Sign in · Codex Quota")

    assert [(headers.get("origin"), headers.get("sec-fetch-site")) for headers in sent] == [
        ("null", None)
    ] * 2
