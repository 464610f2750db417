"""What is run in a sandbox, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cloudlet.engines.sandbox.limits import Limits


class Mount(NamedTuple):
    """A folder, or a file, of the machine and where the sandbox sees it; it cannot write there."""

    source: Path
    target: str


class Network(NamedTuple):
    """A network namespace that a program is in, in place of the machine's own."""

    namespace: int
    """A descriptor of this process."""
    owner: int | None
    """Of the user namespace that it belongs to, where that is not this process's own."""
    resolver: str
    """The address of a name server."""
    hosts: tuple[str, ...] = ()
    """Names of 127.0.0.1."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A program and its surroundings."""

    command: Sequence[str]
    limits: Limits
    mounts: Sequence[Mount] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    """Where it begins."""
    descriptors: Sequence[int] = ()
    """Open files that it inherits, under the same numbers."""
    waits: bool = False
    """Whether it runs nothing of a user's until its limits are set by `Sandbox.limit`. Without control groups nobody
    but root can let a process take more than it might at its start: its memory is limited only then."""
    root: Path | None = None
    """The file system that it sees as `/`, read-only, instead of the machine's programs: an unpacked image that is
    `prepare`d."""
    network: Network | None = None
    """The network that it has, where that is not the machine's own. Root, or whoever made that, alone can start it."""
