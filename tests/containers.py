"""A container of an image that buildah has, run with runc as `docker run` would run it; needs root.

with Container("codex-quota", Run(volumes={"/app/account": folder}, env={"QUOTA_USAGE_URL":
codex.url})) as container:
    container.wait_for(lambda: "Codex Quota: " in container.log())
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

#: What Docker leaves to root in a container.
USUAL = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
    "NET_RAW", "SETFCAP", "SETGID", "SETPCAP",
    "SETUID", "SYS_CHROOT",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What one says to `docker run`."""

    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    #: Folder in the container → folder here.
    volumes: Mapping[str, Path] = field(default_factory=dict)
    tmpfs: tuple[str, ...] = ()
    user: int | None = None
    read_only: bool = False
    capabilities: tuple[str, ...] = USUAL
    no_new_privileges: bool = False


class Container:
    """One container. It and all that it wrote outside its volumes end with the block."""

    def __init__(self, image: str, run: Run) -> None:
        self.image, self.run = image, run
        self.config: dict[str, Any] = json.loads(
            tool("buildah", "inspect", "--type", "image", image)
        )["Docker"]["config"]
        self.process: subprocess.Popen[bytes]
        self._folder = Path(tempfile.mkdtemp(prefix="quota-container-"))
        self._id, self._log = self._folder.name, self._folder / "log"
        self._layer = ""

    def __enter__(self) -> "Container":
        self._layer = tool("buildah", "from", "--pull-never", self.image).strip()
        try:
            spec = self._spec(tool("buildah", "mount", self._layer).strip())
            (self._folder / "config.json").write_text(json.dumps(spec))
            with open(self._log, "wb") as log:
                command = [*self._runc(), "run", "--bundle", str(self._folder), self._id]
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
                )
        except BaseException:
            self._throw_away()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        subprocess.run(
            [*self._runc(), "delete", "--force", self._id], capture_output=True, check=False
        )
        self.process.wait(30)
        self._throw_away()

    def _throw_away(self) -> None:
        tool("buildah", "rm", self._layer)
        shutil.rmtree(self._folder)

    def _runc(self) -> list[str]:
        return ["runc", "--root", str(self._folder / "state")]

    def _spec(self, root: str) -> dict[str, Any]:
        """The image's configuration and what was said to `docker run`, in runc's words."""
        tool("runc", "spec", "--bundle", str(self._folder))
        spec: dict[str, Any] = json.loads((self._folder / "config.json").read_text())
        user = self.run.user or 0
        bounding = [f"CAP_{name}" for name in self.run.capabilities]
        # Who is not root may become root again through a set-uid program, but holds nothing.
        held = [] if user else bounding
        environment = {
            "HOME": "/" if user else "/root",
            **dict(line.split("=", 1) for line in self.config["Env"]),
            **self.run.env,
        }
        spec["root"] = {"path": root, "readonly": self.run.read_only}
        spec["process"] |= {
            "terminal": False,
            "args": [*self.config["Entrypoint"], *(self.run.command or self.config["Cmd"])],
            "env": [f"{name}={value}" for name, value in environment.items()],
            "cwd": self.config["WorkingDir"],
            "user": {"uid": user, "gid": user},
            "capabilities": {
                "bounding": bounding,
                "effective": held,
                "permitted": held,
                "inheritable": [],
                "ambient": [],
            },
            "noNewPrivileges": self.run.no_new_privileges,
        }
        # The network is ours, so that the fake upstream can be reached.
        spec["linux"]["namespaces"] = [
            space for space in spec["linux"]["namespaces"] if space["type"] != "network"
        ]
        spec["mounts"] += [
            {"destination": inside, "type": "bind", "source": str(here), "options": ["rbind"]}
            for inside, here in self.run.volumes.items()
        ]
        spec["mounts"] += [
            {"destination": inside, "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]}
            for inside in self.run.tmpfs
        ]
        return spec

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """`docker exec`: a command beside the service, as the user that the container was started
        as.
        """
        return subprocess.run(
            [*self._runc(), "exec", self._id, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def is_healthy(self) -> bool:
        """What the image's HEALTHCHECK says."""
        return self.execute(*self.config["Healthcheck"]["Test"][1:]).returncode == 0

    def processes(self) -> list[dict[str, str]]:
        """The status of each of the container's processes, as the kernel has it."""
        first = json.loads(tool(*self._runc(), "state", self._id))["pid"]
        space, found = os.readlink(f"/proc/{first}/ns/pid"), []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(folder / "ns/pid") == space:
                    lines = (folder / "status").read_text().splitlines()
                    found.append(
                        {
                            name: " ".join(rest.split())
                            for name, _, rest in (line.partition(":") for line in lines)
                        }
                    )
            except OSError:
                continue
        return found

    def stop(self) -> float:
        """`docker stop`: ask the first process to end, and return how many seconds it took."""
        started = time.monotonic()
        tool(*self._runc(), "kill", self._id, "TERM")
        self.process.wait(30)
        return time.monotonic() - started

    def wait_for(self, there: Callable[[], object], seconds: float = 30.0) -> None:
        until = time.monotonic() + seconds
        while not there():
            if self.process.poll() is not None:
                raise TimeoutError(f"it ended with {self.process.returncode}:\n{self.log()}")
            if time.monotonic() > until:
                raise TimeoutError(f"not within {seconds} s:\n{self.log()}")
            time.sleep(0.1)


def tool(*command: str) -> str:
    """What a program printed; its complaint is the error when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command[:2])}: {done.stderr.strip()}")
    return done.stdout
