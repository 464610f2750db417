"""The description of a container, as plain data."""

from __future__ import annotations

import msgspec

DEFAULT_CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
"""The capabilities of root in a container: Docker's without NET_RAW, which forges addresses."""


CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)
"""The capabilities of Linux in the order of their numbers (capability.h)."""


class Mount(msgspec.Struct, frozen=True):
    """A folder or file of the machine that a container sees."""

    source: str
    target: str
    is_read_only: bool = False


class Tmpfs(msgspec.Struct, frozen=True):
    """A folder of a container that is in memory."""

    target: str
    size_bytes: int


class SharedLimits(msgspec.Struct, frozen=True):
    """Limits for several containers together, which name them alike."""

    name: str
    """Letters, digits and hyphens."""
    memory_bytes: int
    cpus: float


class Container(msgspec.Struct, frozen=True):
    """A container: an image, a program in it, and its surroundings."""

    root: str
    """The folder of the unpacked image. It is never written to."""
    scratch: str
    """A folder, for this container alone, of what it changes in its root."""
    command: tuple[str, ...]
    log: str
    """The file that gets what it prints (`output`)."""
    environment: dict[str, str] = {}
    folder: str = "/"
    """The working directory."""
    user: int = 0
    group: int = 0
    groups: tuple[int, ...] = ()
    hostname: str = "localhost"
    network: str = ""
    """The network of the keeper that it is in; empty: the machine's own."""
    interface: str = ""
    has_no_network: bool = False
    """Whether it has a network of its own that leads nowhere."""
    files: dict[str, str] = {}
    """Small files that it is given, by their paths, such as /etc/hosts."""
    mounts: tuple[Mount, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = ()
    is_read_only: bool = False
    """Whether it cannot change its root."""
    has_init: bool = False
    """Whether something else than its program is the first process and collects orphans."""
    capabilities: tuple[str, ...] = DEFAULT_CAPABILITIES
    has_no_new_privileges: bool = False
    resource_limits: dict[str, tuple[int, int]] = {}
    """Soft and hard limits as `prlimit` names them; -1 is none."""
    memory_bytes: int = 1 << 30
    cpus: float = 1.0
    cpu_shares: int = 1024
    """The part of processors that it gets where others want them, from 2 to 262144."""
    shared_limits: SharedLimits | None = None
    processes: int = 4096
    shared_memory_bytes: int = 64 << 20
    max_log_bytes: int = 64 << 20
