"""Programs that are clients of AWS, as `scripts/environment clients` installs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

E2E = Path(__file__).parent
_CLIENTS = E2E.parents[1] / ".venv-clients"
INSTALLED = _CLIENTS / "bin"
BOTO3 = _CLIENTS / "boto3" / "bin"
"""What is built on boto3 has an environment of its own."""
CDK = _CLIENTS / "cdk" / "bin"
CHALICE = _CLIENTS / "chalice" / "bin"
SAM = _CLIENTS / "sam" / "bin"
ZAPPA = _CLIENTS / "zappa" / "bin"
DEPLOYING = E2E / "deploying"
"""Deployment tools of Node.js, and the applications that they deploy."""
MODULES = DEPLOYING / "node_modules"
# Before the system's programs those that are made for these tests, and the AWS CLI of the environment they run in.
PATH = os.pathsep.join((str(INSTALLED), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))

RUNNING = {"TMPDIR": tempfile.gettempdir(), "XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR", "")}
"""The environment in which commands find the Cloudlets that tests run."""


@dataclass(frozen=True)
class Client:
    """A program, and the environment that points it at an account of Cloudlet."""

    program: str
    environment: dict[str, str]

    def run(self, *arguments: str | Path, input: bytes | None = None) -> str:
        """Run the program to its end and return what it printed. Fails the test where it fails."""
        done = self.attempt(*arguments, input=input)
        if done.returncode != 0:
            said = f"{done.stdout.decode(errors='replace')}\n{done.stderr.decode(errors='replace')}"
            called = " ".join(map(str, (Path(self.program).name, *arguments)))
            pytest.fail(f"{called}: ended with {done.returncode}\n{said}")
        return done.stdout.decode()

    @contextmanager
    def running(self, *arguments: str | Path) -> Iterator[IO[bytes]]:
        """Run the program until the end of the `with` block, for a minute at most; what it prints can be read there."""
        command = ["timeout", "60", self.program, *map(str, arguments)]
        printed = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, **printed) as process:
            assert process.stdout is not None
            try:
                yield process.stdout
            finally:
                process.terminate()

    def attempt(self, *arguments: str | Path, input: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run the program to its end, however it ends."""
        command = [self.program, *map(str, arguments)]
        return subprocess.run(command, env=self.environment, input=input or b"", capture_output=True, timeout=120)


def installed_module(path: str) -> Path:
    """Return the path of a program that is a file of a module. Fails the test where it is not installed."""
    if not (MODULES / path).exists():
        pytest.fail(f"{path} is not installed: scripts/environment clients does it", pytrace=False)
    return MODULES / path


def installed(name: str) -> str:
    """Return a program's path. Fails the test where it is not installed."""
    found = shutil.which(name, path=PATH)
    if found is None or (Path(found).is_relative_to(_CLIENTS) and not (_CLIENTS / ".made").exists()):
        pytest.fail(f"{name} is not installed: scripts/environment clients does it", pytrace=False)
    return found
