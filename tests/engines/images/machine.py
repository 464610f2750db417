"""Images out of what this machine has."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.engines.images.layouts import archive, entry

BASH = "/bin/bash"
_LIBRARY = re.compile(r"(?:=> |^\s*)(/\S+) \(0x", re.MULTILINE)


def program(name: str, place: str) -> list[tuple[Any, bytes]]:
    """Return a program as entries of a layer, and the libraries that it is linked to."""
    found = shutil.which(name)
    assert found is not None, f"the tests of images need {name}"
    said = subprocess.run(["ldd", found], capture_output=True, text=True, check=True).stdout
    files = {path: Path(path).read_bytes() for path in _LIBRARY.findall(said)} | {place: Path(found).read_bytes()}
    return [entry(path[1:], content, mode=0o755) for path, content in files.items()]


def layer(*more: tuple[Any, bytes]) -> bytes:
    """Return a layer with a shell, and what else is given."""
    return archive(*program("bash", BASH), *more)
