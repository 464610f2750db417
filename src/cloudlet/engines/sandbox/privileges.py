"""How a program gives up what root may do, in a sandbox that need not have any program for that: by `setpriv`.

Where control groups are missing, it is limited there, too, by `prlimit`. What a program is given must not reach
these: `setpriv` is root yet, and what runs before `prlimit` has no limits. So variables that the loader of programs
follows are set by `env`, after them.

Where the root of a sandbox is an image, the machine's programs are put there, with the libraries that they are linked
to, and started by the machine's own loader: an image may have another C library, or none.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

PLACE = "/dev/.cloudlet"
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


def make_drop_command(
    user: int | None, limited: Sequence[str], environment: Mapping[str, str], *, own_root: bool
) -> list[str]:
    """Return what comes before a command that is to have no privileges, and limits. Waits for the system.

    `user` is whose it is to be, None where it is nobody else's; `limited` are options of `prlimit`. `own_root` says
    that the sandbox has a root of its own. Where there is any of these, of an environment those variables are set that
    `is_followed` tells. Raises OSError.
    """

    def called(name: str) -> list[str]:
        return program(name).command if own_root else [str(find_program(name))]

    words: list[str] = []
    if user is not None:
        words += [*called("setpriv"), "--reuid", str(user), "--regid", str(user), "--clear-groups", *_DROPPED, "--"]
    if limited:
        words += [*called("prlimit"), *limited, "--"]
    followed = [f"{name}={value}" for name, value in environment.items() if is_followed(name)]
    # A program is seen by what it starts as /proc/self/exe: it must not be one that this user might change.
    return [*words, *called("env"), "--", *followed] if own_root or (words and followed) else words


def files(*, limited: bool) -> dict[str, Path]:
    """Return what is put into a root that is an image, by where the sandbox has it. Raises OSError."""
    names = ("setpriv", "env", "prlimit") if limited else ("setpriv", "env")
    return {place: file for name in names for place, file in program(name).files.items()}


def find_program(name: str) -> Path:
    """Return the path of a program of the machine. Raises FileNotFoundError."""
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"there is no {name} (Debian: apt install util-linux coreutils)")
    return Path(found)


@cache
def program(name: str) -> Program:
    """Return a program, by its name or its path, with what it needs. Raises OSError."""
    path = find_program(name).resolve()
    # Some are one program, which looks at the name that it is called by.
    own = f"{PLACE}/{Path(name).name}"
    said = subprocess.run(["ldd", str(path)], capture_output=True, text=True, timeout=_ASK_SECONDS, check=False).stdout
    linked = [(match["name"], Path(match["path"])) for match in _LINKED.finditer(said)]
    loader = next((path for name, path in linked if name is None), None)
    if loader is None:
        # It is not linked to anything.
        return Program({own: path}, [own])
    libraries = {f"{PLACE}/{name}": library.resolve() for name, library in linked if name is not None}
    started = f"{PLACE}/loader"
    command = [started, "--library-path", PLACE, own]
    return Program({own: path, started: loader.resolve(), **libraries}, command)
