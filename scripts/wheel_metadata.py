"""What the wheel requires, read by hatchling from the requirement files."""

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class RequirementFiles(MetadataHookInterface):
    """Fills in `dependencies` and the extra `postgresql`."""

    def update(self, metadata: dict[str, Any]) -> None:
        root = Path(self.root)
        metadata["dependencies"] = _lines(root / "requirements.txt")
        metadata["optional-dependencies"] = {
            "postgresql": _lines(root / "requirements-postgresql.txt")
        }


def _lines(file: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    return [line for line in lines if line]
