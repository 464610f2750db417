"""Who is measured: Cloudlet and its peers, how each is installed and how each is started.

Peers are used as their packages ship them, started as their READMEs say. What is off by default stays off, so all of
them keep their state in memory alone. Those that log each request are also measured with that switched off, which
nobody gets without asking for it.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from benchmarks import compiled
from benchmarks.compiled import REPOSITORY
from benchmarks.signing import Key

KEY = Key("000000000001", "AKIDEXAMPLE00000001", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
S3_KEY = Key(KEY.account, "S3RVER", "S3RVER")
"""The one that s3rver knows."""
NEWEST_NODE = (22, 5)


class NotInstalled(Exception):
    """A contender that could not be installed, and why."""


@dataclass(frozen=True)
class Installed:
    """A contender ready to start: its version, and its command line for a port and a data folder."""

    version: str
    command: Callable[[int, Path], list[str]]
    environment: Callable[[int], dict[str, str]] = field(default=lambda port: {})


@dataclass(frozen=True)
class Contender:
    """Someone to measure. `install` takes the cache folder, and installs only what is not yet there."""

    name: str
    state: str
    loopback_only: bool
    """Whether it listens on 127.0.0.1 alone; the others have no option for that."""
    install: Callable[[Path], Installed]


def _program(cache: Path, tree: Path) -> tuple[Path, str, dict[str, str]]:
    """Cloudlet's program, its version and what variables it needs: compiled, or as it is in this environment.

    The latter where INTERPRETED is set, or compiling is not possible. Raises NotInstalled.
    """
    commit = _answer(["git", "-C", str(tree), "describe", "--always", "--dirty"])
    if not os.environ.get("INTERPRETED"):
        try:
            return compiled.environment(cache, tree) / "bin" / "cloudlet", f"{commit}, compiled", {}
        except compiled.CannotCompile as error:
            print(f"Cloudlet is measured without being compiled: {error}", file=sys.stderr)
    executable = Path(sys.executable).with_name("cloudlet")
    if not executable.exists():
        raise NotInstalled(f"no {executable}: run this with the Python of the environment Cloudlet is in")
    return executable, f"{commit}, interpreted", {"PYTHONPATH": str(tree / "src")}


def _cloudlet(cache: Path, key: Key = KEY, tree: Path = REPOSITORY) -> Installed:
    executable, version, environment = _program(cache, tree)
    works = subprocess.run([executable, "--help"], check=False, capture_output=True, text=True)
    if works.returncode != 0:
        raise NotInstalled(f"`cloudlet --help` fails: {_last_line(works.stderr)}")
    root_key = f"{key.account}:{key.key_id}:{key.secret}"
    return Installed(
        version=version,
        command=lambda port, data: [
            *(str(executable), "up", "--port", str(port), "--data", str(data), "--root-key", root_key)
        ],
        environment=lambda port: environment,
    )


def _ministack(cache: Path, *, quiet: bool = False) -> Installed:
    environment = environment_with(cache / "ministack", "ministack")
    return Installed(
        version=_package_version(environment, "ministack"),
        command=lambda port, data: [str(environment / "bin" / "ministack")],
        # Its MQTT listener has a fixed port that it would only quarrel about.
        environment=lambda port: (
            {"GATEWAY_PORT": str(port), "IOT_MTLS_ENABLED": "0"} | ({"LOG_LEVEL": "ERROR"} if quiet else {})
        ),
    )


def _moto(cache: Path) -> Installed:
    environment = environment_with(cache / "moto", "moto[server]")
    return Installed(
        version=_package_version(environment, "moto"),
        command=lambda port, data: [str(environment / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", str(port)],
    )


def _fauxqs(cache: Path, *, quiet: bool = False) -> Installed:
    folder = cache / "fauxqs"
    package = folder / "node_modules" / "fauxqs"
    node = _node(folder)
    if not package.exists():
        # By tag: of a plain name npm installs the newest version that the running node suits, here an old one.
        _npm(folder, "fauxqs@latest")
    version = _answer([node, "-p", f"require({str(package / 'package.json')!r}).version"])
    # Its command logs each request, whatever FAUXQS_LOGGER says.
    module = json.dumps(str(package / "dist" / "app.js"))
    start = f"(await import({module})).startFauxqs({{ port: Number(process.env.FAUXQS_PORT), logger: false }})"
    program = ["--input-type=module", "--eval", start] if quiet else [str(package / "dist" / "cli.js")]
    return Installed(
        version=f"{version} (node {_answer([node, '--version'])})",
        command=lambda port, data: [node, *program],
        environment=lambda port: {"FAUXQS_PORT": str(port)},
    )


def _dynalite(cache: Path) -> Installed:
    folder = cache / "dynalite"
    package = folder / "node_modules" / "dynalite"
    node = _node(folder)
    if not package.exists():
        _npm(folder, "dynalite@latest")
    version = _answer([node, "-p", f"require({str(package / 'package.json')!r}).version"])
    no_delays = [f"--{name}TableMs=0" for name in ("create", "delete", "update")]
    return Installed(
        version=f"{version} (node {_answer([node, '--version'])})",
        command=lambda port, data: [node, str(package / "cli.js"), f"--port={port}", *no_delays],
    )


def _s3rver(cache: Path) -> Installed:
    folder = cache / "s3rver"
    package = folder / "node_modules" / "s3rver"
    node = _node(folder)
    if not package.exists():
        _npm(folder, "s3rver@latest")
    version = _answer([node, "-p", f"require({str(package / 'package.json')!r}).version"])
    program = str(package / "bin" / "s3rver.js")
    return Installed(
        version=f"{version} (node {_answer([node, '--version'])})",
        command=lambda port, data: [
            *(node, program, "--directory", str(data), "--address", "127.0.0.1", "--port", str(port), "--silent")
        ],
    )


CONTENDERS = (
    Contender("cloudlet", "on disk before it answers", True, _cloudlet),
    Contender("ministack", "in memory", False, _ministack),
    Contender("ministack-quiet", "in memory", False, partial(_ministack, quiet=True)),
    Contender("moto", "in memory", True, _moto),
    Contender("fauxqs", "in memory", False, _fauxqs),
    Contender("fauxqs-quiet", "in memory", False, partial(_fauxqs, quiet=True)),
)


WITHOUT_FAUXQS = tuple(contender for contender in CONTENDERS if not contender.name.startswith("fauxqs"))
"""For what fauxqs does not have."""

DYNAMODB_CONTENDERS = (
    *WITHOUT_FAUXQS,
    Contender("dynalite", "in memory", False, _dynalite),
)


S3_CONTENDERS = (
    Contender("cloudlet", "on disk before it answers", True, partial(_cloudlet, key=S3_KEY)),
    *CONTENDERS[1:],
    Contender("s3rver", "in files, not synchronised", True, _s3rver),
)


def before(ours: Contender, tree: Path) -> Contender:
    """Cloudlet as it is in another working tree."""
    return replace(ours, name="before", install=partial(ours.install, tree=tree.resolve()))


def environment_with(folder: Path, requirement: str) -> Path:
    """The environment in `folder`, with a package of PyPI installed. Raises NotInstalled."""
    done = folder / "installed"
    if not done.exists():
        try:
            venv.create(folder, with_pip=True, clear=True)
            _run([str(folder / "bin" / "pip"), "install", "--quiet", requirement])
        except (OSError, subprocess.CalledProcessError) as error:
            raise NotInstalled(f"pip install {requirement}: {error}") from error
        done.touch()
    return folder


def _package_version(environment: Path, package: str) -> str:
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    return _answer([str(environment / "bin" / "python"), "-c", code])


def _node(folder: Path) -> str:
    """A node new enough for all of them: the system's, else the one that npm itself has as a package."""
    system = shutil.which("node")
    if system is not None:
        major, minor, *_ = _answer([system, "--version"]).removeprefix("v").split(".")
        if (int(major), int(minor)) >= NEWEST_NODE:
            return system
    own = folder / "node_modules" / ".bin" / "node"
    if not own.exists():
        machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        _npm(folder, f"node-linux-{machine}@{NEWEST_NODE[0]}")
    return str(own)


def _npm(folder: Path, package: str) -> None:
    if shutil.which("npm") is None:
        raise NotInstalled("npm is missing: install it first (Debian, Ubuntu: apt-get install npm)")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _run(["npm", "install", "--silent", "--ignore-scripts", "--prefix", str(folder), package])
    except subprocess.CalledProcessError as error:
        raise NotInstalled(f"npm install {package}: {error}") from error


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ))


def _answer(command: list[str]) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotInstalled(f"{' '.join(command)}: {error}") from error


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
