"""How a program gives up what root may do, in a sandbox that need not have any program for that: by `setpriv`.

Where the root of a sandbox is an image, the machine's program is put there, with the libraries that it is linked to,
and started by the machine's own loader: an image may have another C library, or none.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

_PLACE = "/dev/.cloudlet"
"""Below the sandbox's own /dev, so that an image needs no place for it."""
_LINKED = re.compile(r"^\s*(?:(?P<name>\S+) => )?(?P<path>/\S+) \(0x", re.MULTILINE)
_DROPPED = ("--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs")
_ASK_SECONDS = 20


class Program(NamedTuple):
    """`setpriv`, as it is put into a root."""

    files: Sequence[tuple[Path, str]]
    """Files of the machine, and where the sandbox has them."""
    command: Sequence[str]


def giving_up(user: int, *, own_root: bool) -> list[str]:
    """Return what comes before a command that is to be a user's, with no privileges. Waits for the system.

    `own_root` says that the sandbox has a root of its own. Raises OSError.
    """
    command = program().command if own_root else ("setpriv",)
    return [*command, "--reuid", str(user), "--regid", str(user), "--clear-groups", *_DROPPED, "--"]


@cache
def program() -> Program:
    """Return the program with what it needs. Raises OSError."""
    found = shutil.which("setpriv")
    if found is None:
        raise FileNotFoundError("there is no setpriv (Debian: apt install util-linux)")
    path = Path(found).resolve()
    own = f"{_PLACE}/setpriv"
    said = subprocess.run(["ldd", str(path)], capture_output=True, text=True, timeout=_ASK_SECONDS, check=False).stdout
    linked = [(match["name"], Path(match["path"])) for match in _LINKED.finditer(said)]
    loader = next((path for name, path in linked if name is None), None)
    if loader is None:
        # It is not linked to anything.
        return Program([(path, own)], [own])
    libraries = [(library.resolve(), f"{_PLACE}/{name}") for name, library in linked if name is not None]
    started = f"{_PLACE}/loader"
    return Program([(path, own), (loader.resolve(), started), *libraries], [started, "--library-path", _PLACE, own])
