"""The two ways to serve, as people run them: the classic service alone, and gunicorn behind nginx
with the sample of docs/deployment.md.
"""

import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import processes
from bench.harness import PROJECT
from bench.place import Place
from bench.visitors import Address

NAME = "quota.example.org"
#: What Debian's nginx.conf says around the sample.
NGINX = """
pid {folder}/pid;
daemon off;
worker_processes auto;
events {{ worker_connections 768; }}
http {{
    access_log off;
    {temporary}
    {sample}
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Service:
    """A service that answers, and the processes that it takes."""

    name: str
    address: Address
    pids: tuple[int, ...]

    def processor_seconds(self) -> float:
        return sum(processes.processor_seconds(pid) for pid in self.pids)


@contextmanager
def classic(here: Place) -> Iterator[Service]:
    port = processes.free_port()
    command = [
        sys.executable,
        str(PROJECT / "codex_quota_service.py"),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with processes.running(command, here.environment()) as process:
        processes.first_answer(process, f"http://127.0.0.1:{port}/healthz")
        yield Service("classic service", Address(port, f"127.0.0.1:{port}"), (process.pid,))


@contextmanager
def gunicorn_behind_nginx(here: Place) -> Iterator[Service]:
    port, front = processes.free_port(), processes.free_port()
    # As the unit of the same page has it.
    environment = here.environment(
        WEB_CONCURRENCY="2", QUOTA_TRUSTED_PROXIES="127.0.0.1", QUOTA_TRUSTED_HOSTS=NAME
    )
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "wsgi:app"]
    with processes.running(command, environment) as process:
        processes.first_answer(process, f"http://127.0.0.1:{port}/healthz")
        folder = here.root / "nginx"
        nginx = _nginx(folder, front, port)
        with processes.running(nginx, environment) as proxy:
            _wait_for(front)
            yield Service(
                "gunicorn behind nginx", Address(front, NAME, is_tls=True), (process.pid, proxy.pid)
            )


def nginx() -> str | None:
    """The program; None where there is none."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _nginx(folder: Path, port: int, upstream: int) -> list[str]:
    """Write the sample with our ports and certificate in it, and nothing else changed, and say how
    nginx is started with it.
    """
    folder.mkdir()
    _write_certificate(folder)
    found = re.search(
        r"```nginx\n(.+?)```",
        (PROJECT / "docs" / "deployment.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert found
    sample = found.group(1)
    for written, ours in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("http://127.0.0.1:8081", f"http://127.0.0.1:{upstream}"),
        ("/etc/ssl/quota", str(folder / "quota")),
    ):
        assert written in sample, written
        sample = sample.replace(written, ours)
    temporary = "\n".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    config = folder / "nginx.conf"
    # Root would hand the work to a user who may not enter this folder.
    user = "user root;" if os.getuid() == 0 else ""
    config.write_text(
        user + NGINX.format(folder=folder, temporary=temporary, sample=sample), encoding="utf-8"
    )
    program = nginx()
    assert program
    return [program, "-c", str(config), "-e", str(folder / "log"), "-p", str(folder)]


def _write_certificate(folder: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
    )
    signed = (
        made.not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "quota.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "quota.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
