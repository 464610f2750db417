"""Functions that tests run."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.services.lambda_.cloud import FunctionCloud


class Answer(NamedTuple):
    """What an invocation has answered."""

    value: Any
    """What the function returned, or the error document."""
    error: str | None
    log: str
    raw: dict[str, Any]


def program(files: Mapping[str, str]) -> bytes:
    """Return a ZIP file of files that can be run, by name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            file.writestr(entry, text)
    return packed.getvalue()


def python(cloud: FunctionCloud, body: str, name: str = "f", **more: Any) -> None:
    """Create a Python function with a body, which has `event` and `context`; `import`s may come first."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").split("\n"))
    source = f"import json, os, sys, time\n\ndef handler(event, context):\n{lines}\n"
    module(cloud, source, name, **more)


def module(cloud: FunctionCloud, source: str, name: str = "f", **more: Any) -> None:
    """Create a Python function from its whole source."""
    cloud.function(name, Code={"ZipFile": program({"index.py": source})}, **more)


def invoke(cloud: FunctionCloud, event: Any = None, name: str = "f", **more: Any) -> Answer:
    """Invoke a function and return its answer."""
    payload = {} if event is None else {"Payload": json.dumps(event).encode()}
    raw = cloud.client.invoke(FunctionName=name, LogType="Tail", **payload, **more)
    text = raw["Payload"].read()
    value = json.loads(text) if text else None
    return Answer(value, raw.get("FunctionError"), base64.b64decode(raw.get("LogResult", "")).decode(), raw)


def sandboxed(marker: str) -> list[int]:
    """Return the processes that have a marker among their variables, whosever they are."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found
