"""How a program gives up what root may do, in a sandbox that need not have any program for that: by `setpriv`.

What it is given must not reach `setpriv`, which is root yet: variables that the loader of programs follows, and a PATH.
They are set by `env`, after it.

Where the root of a sandbox is an image, the machine's programs are put there, with the libraries that they are linked
to, and started by the machine's own loader: an image may have another C library, or none.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

_PLACE = "/dev/.cloudlet"
"""Below the sandbox's own /dev, so that an image needs no place for it."""
_LINKED = re.compile(r"^\s*(?:(?P<name>\S+) => )?(?P<path>/\S+) \(0x", re.MULTILINE)
_DROPPED = ("--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs")
_ASK_SECONDS = 20
_FOLLOWED_PREFIXES = ("LD_", "MALLOC_")
_FOLLOWED = frozenset(
    (
        "GCONV_PATH",
        "GETCONF_DIR",
        "GLIBC_TUNABLES",
        "HOSTALIASES",
        "LOCALDOMAIN",
        "LOCPATH",
        "NIS_PATH",
        "NLSPATH",
        "RESOLV_HOST_CONF",
        "RES_OPTIONS",
        "TMPDIR",
        "TZDIR",
    )
)
"""What glibc itself forgets where a program has more rights than who starts it: `sysdeps/generic/unsecvars.h`."""


class Program(NamedTuple):
    """A program of the machine, as it is put into a root."""

    files: dict[str, Path]
    """By where the sandbox has them."""
    command: list[str]


def is_followed(name: str) -> bool:
    """Whether a variable changes what any program does that starts with it. The values of such are no secrets."""
    return name in _FOLLOWED or name.startswith(_FOLLOWED_PREFIXES)


def giving_up(user: int, environment: Mapping[str, str], *, own_root: bool) -> list[str]:
    """Return what comes before a command that is to be a user's, with no privileges. Waits for the system.

    Of an environment, those variables are set that `is_followed` tells; `own_root` says that the sandbox has a root of
    its own. Raises OSError.
    """
    followed = [f"{name}={value}" for name, value in environment.items() if is_followed(name)]
    setpriv, env = (program(name).command if own_root else [str(_found(name))] for name in ("setpriv", "env"))
    dropping = [*setpriv, "--reuid", str(user), "--regid", str(user), "--clear-groups", *_DROPPED, "--"]
    return [*dropping, *env, "--", *followed] if followed else dropping


def files() -> dict[str, Path]:
    """Return what is put into a root that is an image, by where the sandbox has it. Raises OSError."""
    return {**program("setpriv").files, **program("env").files}


def _found(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"there is no {name} (Debian: apt install util-linux coreutils)")
    return Path(found)


@cache
def program(name: str) -> Program:
    """Return a program with what it needs. Raises OSError."""
    path = _found(name).resolve()
    # Some are one program, which looks at the name that it is called by.
    own = f"{_PLACE}/{name}"
    said = subprocess.run(["ldd", str(path)], capture_output=True, text=True, timeout=_ASK_SECONDS, check=False).stdout
    linked = [(match["name"], Path(match["path"])) for match in _LINKED.finditer(said)]
    loader = next((path for name, path in linked if name is None), None)
    if loader is None:
        # It is not linked to anything.
        return Program({own: path}, [own])
    libraries = {f"{_PLACE}/{name}": library.resolve() for name, library in linked if name is not None}
    started = f"{_PLACE}/loader"
    command = [started, "--library-path", _PLACE, own]
    return Program({own: path, started: loader.resolve(), **libraries}, command)
