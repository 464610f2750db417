"""The command line of the Cloudlet that the demo runs against, if it does. The shop itself knows nothing of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit


class Cloudlet:
    """The Cloudlet that listens on a port."""

    def __init__(self, port: int) -> None:
        self._port = port

    def run(self, *arguments: str) -> str:
        """Run a command; return what it prints."""
        answer = self._run(*arguments)
        answer.check_returncode()
        return answer.stdout

    def now(self) -> datetime:
        """Return the time by its clock."""
        return datetime.fromisoformat(self.run("clock", "show").partition(",")[0].strip())

    def status(self) -> dict[str, Any] | None:
        """Return what it says of itself, or None where none is there."""
        answer = self._run("status", "--json")
        return None if answer.returncode else dict(json.loads(answer.stdout))

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["cloudlet", *arguments, "--port", str(self._port)]
        return subprocess.run(command, capture_output=True, text=True)


def find() -> Cloudlet | None:
    """Return the Cloudlet that the environment names, or None where that is AWS, or somebody else."""
    port = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).port
    if port is None or shutil.which("cloudlet") is None:
        return None
    cloudlet = Cloudlet(port)
    return None if cloudlet.status() is None else cloudlet


def find_balancer(name: str) -> str:
    """Return the URL of a load balancer, which a Cloudlet has by path, too: no name server need know its name."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    return f"{endpoint}/_aws/elb/{name.partition('.')[0]}" if endpoint else f"http://{name}"
