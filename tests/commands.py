"""The command line, as a user types it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit


def cloudlet(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "cloudlet", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **environment})


def blocks(endpoint: str) -> dict[str, dict[str, Any]]:
    """Return what `cloudlet status` says of each block of a running Cloudlet."""
    told = cloudlet("status", "--json", "--port", str(urlsplit(endpoint).port))
    assert told.returncode == 0, told.stderr
    return {block["name"]: block for block in json.loads(told.stdout)["blocks"]}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
