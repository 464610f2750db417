"""botocore's models on disk: found, stripped of their documentation, and kept in a form that loads in a moment.

Only botocore's data files are read; importing the package would cost a tenth of a second.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from cloudlet.wire.supplements import supplement

FORMAT = 17
"""Raise this when what is written to the cache changes."""


class Compiled(msgspec.Struct):
    """A service's description, with every shape packed by itself so that only those in use are unpacked."""

    metadata: dict[str, Any]
    operations: dict[str, dict[str, Any]]
    shapes: dict[str, bytes]
    exceptions: list[str]


_decoder = msgspec.msgpack.Decoder(Compiled)


@cache
def botocore_folder() -> Path:
    """Return the folder of the installed botocore."""
    spec = find_spec("botocore")
    if spec is None or spec.origin is None:
        raise RuntimeError("Cloudlet reads AWS's service models out of botocore, which is not installed")
    return Path(spec.origin).parent


@cache
def botocore_version() -> str:
    """Return the version of the installed botocore, without importing it."""
    source = (botocore_folder() / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r"^__version__ = ['\"]([\w.+-]+)['\"]", source, re.MULTILINE)
    return match[1] if match else "unknown"


def describe(service: str) -> dict[str, Any]:
    """Return botocore's own description of a service, in its latest API version, documentation included.

    Raises `LookupError` if botocore knows no such service.
    """
    import gzip

    root = botocore_folder() / "data" / service
    if not re.fullmatch(r"[a-z0-9-]+", service) or not root.is_dir():
        raise LookupError(f"botocore has no model of a service {service!r}")
    for version in sorted((entry.name for entry in root.iterdir()), reverse=True):
        packed, plain = root / version / "service-2.json.gz", root / version / "service-2.json"
        if packed.is_file():
            text = gzip.decompress(packed.read_bytes())
        elif plain.is_file():
            text = plain.read_bytes()
        else:
            continue
        description: dict[str, Any] = msgspec.json.decode(text)
        return description
    raise LookupError(f"botocore has no model of a service {service!r}")


def compile_description(service: str, description: dict[str, Any]) -> Compiled:
    """Return a description in compiled form, supplemented by what the service really speaks."""
    plain = _without_documentation(description)
    plain.setdefault("shapes", {})
    supplement(service, plain)
    encode = msgspec.msgpack.Encoder().encode
    return Compiled(
        metadata=plain["metadata"],
        operations=plain["operations"],
        shapes={name: encode(shape) for name, shape in plain["shapes"].items()},
        exceptions=[name for name, shape in plain["shapes"].items() if shape.get("exception")],
    )


def _without_documentation(value: Any) -> Any:
    if isinstance(value, dict):
        # A member may itself be called "documentation"; its value is then no text.
        return {
            key: _without_documentation(item)
            for key, item in value.items()
            if key != "documentation" or not isinstance(item, str)
        }
    if isinstance(value, list):
        return [_without_documentation(item) for item in value]
    return value


def load_compiled(service: str) -> Compiled:
    """Return a service's compiled description, from the cache if there is a sound one."""
    file = _cache_file(service)
    with contextlib.suppress(OSError, ValueError):
        return _unpack(file.read_bytes())
    compiled = compile_description(service, describe(service))
    with contextlib.suppress(OSError):
        _write(file, _pack(compiled))
    return compiled


def _cache_file(service: str) -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    root = Path(home) if home else Path(os.path.expanduser("~")) / ".cache"  # noqa: PTH111 - never raises
    return root / "cloudlet" / f"models-{FORMAT}-{botocore_version()}" / service


def _pack(compiled: Compiled) -> bytes:
    content = msgspec.msgpack.encode(compiled)
    return zlib.crc32(content).to_bytes(4, "big") + content


def _unpack(data: bytes) -> Compiled:
    content = memoryview(data)[4:]
    if zlib.crc32(content).to_bytes(4, "big") != data[:4]:
        raise ValueError("the cached model is damaged")
    return _decoder.decode(content)


def _write(file: Path, data: bytes) -> None:
    import tempfile

    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
