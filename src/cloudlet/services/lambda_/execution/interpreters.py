"""The interpreters of this machine, by the runtimes that they are for.

A runtime is served by the interpreter of its own version: what runs here runs on AWS.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from cloudlet.core import AwsError
from cloudlet.engines.sandbox import Mount

_PYTHON = re.compile(r"python(3\.\d+)")
_NODE = re.compile(r"nodejs(\d+)\.x")
_BOOTSTRAP = "[ -e /var/task/bootstrap ] && exec /var/task/bootstrap; exec /opt/bootstrap"
_CUSTOM = ("provided.al2", "provided.al2023")
_RUNTIME_FOLDER = Path(__file__).parent / "runtime"
_IN_SANDBOX = "/var/runtime"
_ASK_PYTHON = "import sys; print(sys.executable, sys.base_prefix, '%d.%d' % sys.version_info[:2], sep='\\n')"
_ASK_NODE = "console.log([process.execPath, process.execPath, process.versions.node.split('.')[0]].join('\\n'))"
_COMPILE = "import py_compile, sys; py_compile.compile(*sys.argv[1:4], doraise=True); print('\\n\\n')"
_ASK_SECONDS = 20
_SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
"""What AWS's Python runtimes have: boto3, and what it needs."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What runs the functions of a runtime."""

    runtime: str
    command: tuple[str, ...]
    mounts: tuple[Mount, ...]
    libraries: tuple[str, ...] = ()
    """Folders in the sandbox that have what the runtime brings along."""
    is_custom: bool = False
    """Whether it is the function's own, and speaks the Runtime API."""
    root: Path | None = None
    """The folder that it sees as its whole file system, where it is an image."""
    folder: str = "/"
    """Where it begins."""


class Interpreters:
    """Finds interpreters; what is there, once."""

    def __init__(self, folder: Path) -> None:
        """`folder` is for what is compiled for them."""
        self._folder = folder
        self._found: dict[str, Interpreter] = {}
        self._looking = asyncio.Lock()

    async def find(self, runtime: str) -> Interpreter:
        """Return the interpreter for a runtime. Raises AwsError where there is none, which says what to install."""
        if runtime not in self._found:
            async with self._looking:
                if runtime not in self._found:
                    found = await _find(runtime, self._folder)
                    # It may be installed meanwhile: it is looked for again.
                    if found is None:
                        raise AwsError("InvalidRuntimeException", missing(runtime), status=502)
                    self._found[runtime] = found
        return self._found[runtime]


def missing(runtime: str) -> str:
    """Say what to install for a runtime that cannot be had."""
    python, node = _PYTHON.fullmatch(runtime), _NODE.fullmatch(runtime)
    if python:
        return (
            f"Cloudlet has no interpreter for {runtime}: install Python {python[1]} so that python{python[1]} is on "
            f"its PATH (Debian: apt install python{python[1]}; elsewhere pyenv install {python[1]})."
        )
    if node:
        return (
            f"Cloudlet has no interpreter for {runtime}: install Node.js {node[1]} so that node is on its PATH "
            f"(nvm install {node[1]}, or a package of https://nodejs.org/en/download)."
        )
    return f"Cloudlet cannot run functions for {runtime}: it has Python, Node.js and custom runtimes (provided.*)."


async def _find(runtime: str, folder: Path) -> Interpreter | None:
    python, node = _PYTHON.fullmatch(runtime), _NODE.fullmatch(runtime)
    if runtime in _CUSTOM:
        return Interpreter(runtime, ("/bin/sh", "-c", _BOOTSTRAP), (), is_custom=True)
    if python:
        return await _python(runtime, python[1], folder)
    if node:
        return await _node(runtime, node[1])
    return None


async def _python(runtime: str, version: str, folder: Path) -> Interpreter | None:
    own = [sys.executable] if version == f"{sys.version_info[0]}.{sys.version_info[1]}" else []
    for candidate in (*own, *_candidates(f"python{version}", f"versions/{version}*/bin/python3")):
        told = await _ask(candidate, "-I", "-c", _ASK_PYTHON)
        if told is None or told[2] != version:
            continue
        # The interpreter itself, not that of an environment with packages of its own.
        program = Path(told[1]) / "bin" / f"python{version}"
        bootstrap = await _compiled(candidate, folder / runtime)
        mounts = (*_seen(Path(told[1])), bootstrap, _brought("snapshot_restore_py.py"), *_sdk())
        return Interpreter(runtime, (str(program), "-I", "-S", "-B", bootstrap.target), mounts, (_IN_SANDBOX,))
    return None


async def _compiled(python: str, folder: Path) -> Mount:
    """Return what lets a sandbox see the runtime's own program, compiled: each start would take 4 ms for that."""
    source, found = _brought("bootstrap.py"), folder / "bootstrap.pyc"
    if await _ask(python, "-I", "-c", _COMPILE, str(source.source), str(found), source.target) is None:
        return source
    return Mount(found, f"{_IN_SANDBOX}/{found.name}")


async def _node(runtime: str, version: str) -> Interpreter | None:
    for candidate in _candidates("node", f"versions/node/v{version}.*/bin/node"):
        told = await _ask(candidate, "-e", _ASK_NODE)
        if told is None or told[2] != version:
            continue
        program = Path(told[0])
        return Interpreter(
            runtime,
            (str(program), f"{_IN_SANDBOX}/bootstrap.mjs"),
            (*_seen(program.parent.parent), _brought("bootstrap.mjs"), *_find_node_sdk(program)),
        )
    return None


def _find_node_sdk(program: Path) -> Iterator[Mount]:
    """Give AWS's SDK for JavaScript, where it is installed: on NODE_PATH, or globally."""
    folders = os.environ.get("NODE_PATH", "").split(os.pathsep)
    folders += [str(program.parent.parent / "lib/node_modules"), "/usr/local/lib/node_modules"]
    for folder in filter(None, folders):
        if (Path(folder) / "@aws-sdk").is_dir():
            yield Mount(Path(folder), f"{_IN_SANDBOX}/node_modules")
            return


def _candidates(name: str, pattern: str) -> Iterator[str]:
    """Give the programs that may be the one, on the PATH first, then those of pyenv and nvm."""
    on_path = shutil.which(name)
    if on_path is not None:
        yield on_path
    for variable, folder in (("PYENV_ROOT", ".pyenv"), ("NVM_DIR", ".nvm")):
        root = Path(os.environ.get(variable) or Path.home() / folder)
        yield from (str(path) for path in sorted(root.glob(pattern), reverse=True))


async def _ask(program: str, *arguments: str) -> list[str] | None:
    """Return what a program says of itself, in lines."""
    try:
        asked = await asyncio.to_thread(
            subprocess.run,
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_ASK_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = asked.stdout.decode(errors="replace").split("\n")
    return lines if asked.returncode == 0 and len(lines) > 2 else None


def _brought(name: str) -> Mount:
    """Return what lets a sandbox see a file that the runtime brings along."""
    return Mount(_RUNTIME_FOLDER / name, f"{_IN_SANDBOX}/{name}")


def _seen(prefix: Path) -> list[Mount]:
    """Return what lets a sandbox see a folder of programs, which it sees anyway where the system's are."""
    if prefix.is_relative_to("/usr"):
        return []
    return [Mount(prefix, str(prefix))]


def _sdk() -> Iterator[Mount]:
    for name in _SDK:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            continue
        path = Path(spec.origin)
        source = path.parent if path.name == "__init__.py" else path
        yield Mount(source, f"{_IN_SANDBOX}/{source.name}")
