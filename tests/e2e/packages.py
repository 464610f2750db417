"""Packages of functions that carry libraries: those that `scripts/environment clients` installs."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from cloudlet.testing.server import Aws
from tests.e2e.client import BOTO3, E2E, INSTALLED, installed
from tests.e2e.conftest import MakeClient

_OF_THE_RUNTIME = frozenset(("boto3", "botocore", "s3transfer"))
"""AWS's Python runtimes have these."""
_MODULES = E2E / "javascript" / "node_modules"


def python_runtime() -> str:
    """Return the runtime for which the libraries are installed."""
    return _libraries().parent.name


def node_runtime(client: MakeClient) -> str:
    """Return the runtime of the Node.js that is installed with the clients."""
    major = client(str(INSTALLED / "node")).run("--version").removeprefix("v").partition(".")[0]
    return f"nodejs{major}.x"


def package(files: Mapping[str, str], *libraries: str) -> bytes:
    """Return a ZIP file of files that can be run, by name, and of libraries with all that they need."""
    packed = io.BytesIO(_packed(libraries))
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as file:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            file.writestr(entry, text)
    return packed.getvalue()


def node_package(files: Mapping[str, str], *modules: str) -> bytes:
    """Return a ZIP file of files, by name, and of modules of Node.js with all that they need."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, text in files.items():
            file.writestr(name, text)
        wanted, seen = list(modules), set()
        while wanted:
            folder = _MODULES / wanted.pop()
            if folder in seen:
                continue
            seen.add(folder)
            wanted.extend(json.loads((folder / "package.json").read_text()).get("dependencies", {}))
            for path in folder.rglob("*"):
                if path.suffix in (".cjs", ".js", ".json", ".mjs"):
                    file.write(path, str(path.relative_to(E2E / "javascript")))
    return packed.getvalue()


def create_function(aws: Aws, name: str, code: bytes, **more: Any) -> str:
    """Create a function, wait until it is active, and return its ARN. Its handler is `app.handler`."""
    client = aws.client("lambda")
    role = f"arn:aws:iam::{aws.account}:role/shop"
    given = {
        "Runtime": python_runtime(),
        "Role": role,
        "Handler": "app.handler",
        "Timeout": 30,
        **more,
    }
    # A whole processor: what is imported here is large.
    arn: str = client.create_function(FunctionName=name, Code={"ZipFile": code}, MemorySize=1769, **given)[
        "FunctionArn"
    ]
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 600})
    return arn


def _libraries() -> Path:
    """Return the folder that has the libraries."""
    installed(str(BOTO3 / "python"))
    return next(BOTO3.parent.glob("lib/python*/site-packages"))


@cache
def _packed(libraries: tuple[str, ...]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for found in _with_needed(libraries):
            for path in found.files or ():
                if ".." not in path.parts and path.suffix != ".pyc":
                    file.write(path.locate(), str(path))  # type: ignore[arg-type]
    return packed.getvalue()


def _with_needed(libraries: tuple[str, ...]) -> Iterator[Distribution]:
    """Give the distributions that are named (`flask`, `aws-lambda-powertools[tracer]`), and those that they require."""
    wanted, seen = list(libraries), set(_OF_THE_RUNTIME)
    while wanted:
        requirement = Requirement(wanted.pop())
        if re.sub(r"[-_.]+", "-", requirement.name.lower()) in seen:
            continue
        seen.add(re.sub(r"[-_.]+", "-", requirement.name.lower()))
        found = next(iter(Distribution.discover(name=requirement.name, path=[str(_libraries())])))
        yield found
        for text in found.requires or ():
            needed = Requirement(text)
            extras = requirement.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                wanted.append(str(needed).partition(";")[0])
