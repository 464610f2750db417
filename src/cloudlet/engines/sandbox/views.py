"""Where a program that runs without a sandbox finds what a sandbox would show it: in a folder of links."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from cloudlet.engines.sandbox.spec import Mount


class View:
    """What one program finds."""

    def __init__(self, folder: Path, mounts: Sequence[Mount]) -> None:
        """It is in a folder of its own, once it is made."""
        self._folder = folder
        self._mounts = [mount for mount in mounts if str(mount.source) != mount.target]
        places = {mount.target for mount in self._mounts}
        # What is above them is theirs, too, unless the machine has it.
        places |= {str(PurePosixPath(place).parent) for place in places if place.count("/") > 2}
        either = "|".join(re.escape(place) for place in sorted(places, reverse=True))
        self._named = re.compile(rf"(?<![\w./-])(?:{either})(?![\w.-])") if either else None

    def make(self) -> None:
        """Make the links. Raises OSError."""
        for mount in self._mounts:
            link = self._folder / mount.target[1:]
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(mount.source)

    def translated(self, text: str) -> str:
        """Return a text in which what a sandbox would show is named by where it is."""
        if self._named is None:
            return text
        return self._named.sub(lambda match: f"{self._folder}{match[0]}", text)

    def remove(self) -> None:
        """Remove the links. Waits for the disk."""
        shutil.rmtree(self._folder, ignore_errors=True)
