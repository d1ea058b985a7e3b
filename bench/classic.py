"""The plain script that the goals compare with: asks one account after the other with requests.get,
prints a table, stores nothing.

python -m bench.classic FOLDER URL
"""

import json
import sys
from pathlib import Path
from typing import Any

import requests


def ask(folder: Path, url: str) -> list[tuple[str, Any, Any]]:
    """Name, five-hour and weekly remaining percent of every account of *folder*."""
    rows = []
    for file in sorted(folder.glob("*.auth.json")):
        tokens = json.loads(file.read_text(encoding="utf-8"))["tokens"]
        headers = {
            "Authorization": f"Bearer {tokens['access_token']}",
            "ChatGPT-Account-Id": tokens["account_id"],
            "Accept": "application/json",
        }
        answer = requests.get(url, headers=headers, timeout=30)
        answer.raise_for_status()
        limits = answer.json()["rate_limit"]
        rows.append(
            (
                file.name,
                100 - limits["primary_window"]["used_percent"],
                100 - limits["secondary_window"]["used_percent"],
            )
        )
    return rows


def main() -> None:
    for name, five_hour, weekly in sorted(
        ask(Path(sys.argv[1]), sys.argv[2]), key=lambda row: (-row[1], -row[2], row[0])
    ):
        print(f"{name:<24} {five_hour:>5} {weekly:>5}")


if __name__ == "__main__":
    main()
