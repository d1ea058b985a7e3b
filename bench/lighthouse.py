"""Lighthouse's scores, of 100, of the pages that are opened most, signed in, on a desktop and on a
phone: how fast they are there, whether everybody can use them, and good practice.

Lighthouse comes from npm and is no part of this project; the README of this folder has the command.
Without it, or without Chromium, this says so and measures nothing.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import requests

from bench.browser import chromium
from bench.harness import Report, Result, main
from bench.place import place
from bench.served import served, sign_in
from bench.web import PASSWORD

PAGES = ("/", "/history", "/accounts/alice")
#: What Lighthouse looks with → the options that make it so.
LOOKS = {"desktop": ("--preset=desktop",), "phone": ()}
#: Lighthouse's categories → the lowest score that is good enough.
WANTED = {"performance": 98, "accessibility": 100, "best-practices": 100}


def missing() -> str:
    """What this lacks on this machine; empty where it can run."""
    if not shutil.which("lighthouse"):
        return "Lighthouse is not installed: npm install -g lighthouse"
    return "" if chromium() else "Chromium is not installed: apt-get install chromium"


def run(report: Report) -> None:
    for accounts in report.size.pick((2,), (8, 60), (8, 60)):
        with place(QUOTA_PASSWORD=PASSWORD) as here:
            here.invent(accounts, report.size.pick(1, 30, 30))
            with served(here) as base:
                cookie = _cookie(base)
                for page in PAGES[: report.size.pick(1, 3, 3)]:
                    for look in LOOKS:
                        _score(report, base + page, cookie, look, f"{page}, {accounts} accounts")


def _cookie(base: str) -> str:
    with requests.Session() as browser:
        sign_in(browser, base)
        return "; ".join(f"{one.name}={one.value}" for one in browser.cookies)


def _score(report: Report, url: str, cookie: str, look: str, what: str) -> None:
    looks = [_look_at(url, cookie, look) for _ in range(report.size.pick(1, 1, 3))]
    for category, least in WANTED.items():
        scores = [100 * float(one["categories"][category]["score"] or 0) for one in looks]
        report.add(
            Result(
                "19", f"Lighthouse, {category} of {what}, {look}", "of 100", scores,
                unit="of 100", wanted=f">= {least}",
            )
        )  # fmt: skip
        for title in _lost(looks[-1], category):
            print(f"      {title}")


def _look_at(url: str, cookie: str, look: str) -> dict[str, Any]:
    """Lighthouse's report of one page."""
    flags = "--headless=new --disable-gpu" + (" --no-sandbox" if os.geteuid() == 0 else "")
    with tempfile.TemporaryDirectory(prefix="quota-lighthouse-") as folder:
        headers, found = Path(folder) / "headers.json", Path(folder) / "report.json"
        headers.write_text(json.dumps({"Cookie": cookie}), encoding="utf-8")
        command = [
            "lighthouse", url, *LOOKS[look], "--quiet", "--output=json", f"--output-path={found}",
            f"--only-categories={','.join(WANTED)}", f"--extra-headers={headers}",
            f"--chrome-flags={flags}", "--no-enable-error-reporting",
        ]  # fmt: skip
        environment = os.environ | {"CHROME_PATH": chromium() or ""}
        subprocess.run(command, env=environment, check=True, timeout=300)
        document: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    assert document["finalDisplayedUrl"] == url, document["finalDisplayedUrl"]
    return document


def _lost(document: dict[str, Any], category: str) -> list[str]:
    """What costs points, one line an audit."""
    audits = document["audits"]
    counted = [r["id"] for r in document["categories"][category]["auditRefs"] if r["weight"]]
    return [
        f"{audits[key]['score']}  {audits[key]['title']} {audits[key].get('displayValue', '')}"
        for key in counted
        if audits[key]["score"] is not None and audits[key]["score"] < 1
    ]


if __name__ == "__main__":
    main("lighthouse", run, missing)
