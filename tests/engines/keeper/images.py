"""An image that has busybox, a static program which is all of its commands."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cloudlet.engines.containers import users

COMMANDS = [
    "cat",
    "chown",
    "echo",
    "env",
    "id",
    "ls",
    "mkdir",
    "nc",
    "nslookup",
    "sh",
    "sleep",
    "touch",
    "wget",
    "httpd",
]


def make(folder: Path) -> Path:
    """Return the root of an image, whose files are its root's."""
    root = folder / "image"
    for name in ("bin", "etc", "tmp", "proc", "dev", "srv"):
        (root / name).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox is not None, "scripts/environment work installs busybox-static"
    shutil.copy(busybox, root / "bin/busybox")
    for command in COMMANDS:
        (root / "bin" / command).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nwww:x:999:999::/:/bin/sh\n")
    (root / "srv/index.html").write_text("hello from a container\n")
    if users.have_ranges():
        for path in [root, *root.rglob("*")]:
            os.chown(path, users.to_machine(0), users.to_machine(0), follow_symlinks=False)
    return root
