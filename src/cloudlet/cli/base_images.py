"""Small base images, made of the machine's own programs: nothing is downloaded.

Their files lie where they lie on the machine, belong to root, and have one time: the same programs make the same image.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from cloudlet.cli.image_sources import CONFIG, INDEX, LAYER, MANIFEST

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_LIBRARY: Final = re.compile(r"(?:=>\s*)?(/\S+) \(0x")
_FOLDERS: Final = (
    "bin",
    "dev",
    "etc",
    "proc",
    "root",
    "sys",
    "tmp",
    "usr",
    "usr/bin",
    "usr/local",
    "usr/local/bin",
    "var",
)
_LEFT_OUT: Final = frozenset(
    (
        "__pycache__",
        "dist-packages",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "site-packages",
        "test",
        "tests",
        "tkinter",
        "turtledemo",
    )
)
"""Folders of the standard library that programs in containers do without."""
_COMPILED_TIME: Final = slice(4, 12)
"""The part of a compiled module with the time of its source (PEP 552)."""
_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_TEXTS: Final = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


class _Layer:
    """A layer that is being made."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[tarfile.TarInfo, bytes | Path]] = {}
        for name in _FOLDERS:
            self._add_folder(name, 0o1777 if name == "tmp" else 0o755)
        for name, text in _TEXTS.items():
            self.add_text(name, text)

    def add_text(self, name: str, text: str) -> None:
        self._add(name, tarfile.REGTYPE, 0o644, text.encode())

    def add_link(self, name: str, target: str) -> None:
        info = self._add(name, tarfile.SYMTYPE, 0o777, b"")
        info.linkname = target

    def add_file(self, path: Path, name: str = "") -> None:
        """Add a file of the machine, under its own path if there is no other."""
        mode = 0o755 if os.access(path, os.X_OK) else 0o644
        self._add(name or str(path).lstrip("/"), tarfile.REGTYPE, mode, path)

    def add_compiled(self, path: Path) -> None:
        """Add what Python has compiled of a module before, if it has: programs start sooner."""
        compiled = Path(importlib.util.cache_from_source(str(path)))
        if not compiled.is_file():
            return
        code = compiled.read_bytes()
        checked = bytes(4) + int(path.stat().st_mtime).to_bytes(4, "little")
        if code[_COMPILED_TIME] == checked:
            # In a layer no file has a time.
            again = code[: _COMPILED_TIME.start] + bytes(8) + code[_COMPILED_TIME.stop :]
            self._add(str(compiled).lstrip("/"), tarfile.REGTYPE, 0o644, again)

    def write(self, file: Path) -> tuple[str, str, int]:
        """Write it, compressed; return its digests, without and with compression, and its size."""
        plain, packed = hashlib.sha256(), io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as compressed:
            writer = _Hashing(compressed, plain)
            with tarfile.open(fileobj=writer, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
                for name in sorted(self._entries):
                    info, content = self._entries[name]
                    data = content if isinstance(content, bytes) else content.read_bytes()
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
        file.write_bytes(packed.getvalue())
        digest = hashlib.sha256(packed.getvalue()).hexdigest()
        return f"sha256:{plain.hexdigest()}", f"sha256:{digest}", len(packed.getvalue())

    def _add_folder(self, name: str, mode: int = 0o755) -> None:
        self._add(name, tarfile.DIRTYPE, mode, b"")

    def _add(self, name: str, kind: bytes, mode: int, content: bytes | Path) -> tarfile.TarInfo:
        parent = name.rpartition("/")[0]
        if parent and parent not in self._entries:
            self._add_folder(parent)
        info = tarfile.TarInfo(name)
        info.type, info.mode = kind, mode
        self._entries[name] = (info, content)
        return info


class _Hashing:
    """A file that hashes what is written to it."""

    def __init__(self, file: gzip.GzipFile, found: Any) -> None:
        self._file = file
        self._found = found

    def write(self, data: bytes) -> int:
        self._found.update(data)
        return self._file.write(data)


def make_busybox(folder: Path) -> None:
    """Write a layout of an image with busybox, which is all of its commands. Raises OSError."""
    layer = _Layer()
    _add_busybox(layer, _find_busybox())
    _write_layout(folder, layer, {"Cmd": ["sh"], "Env": [f"PATH={_PATH}"]})


def make_python(folder: Path) -> None:
    """Write a layout of an image with this machine's Python and its standard library. Raises OSError."""
    layer = _Layer()
    version = sysconfig.get_python_version()
    program = Path(sysconfig.get_config_var("BINDIR"), f"python{version}")
    library = Path(sysconfig.get_path("stdlib"))
    modules = [path for path in _list_files(library) if path.suffix != ".pyc"]
    for path in (program, *modules):
        layer.add_file(path)
        layer.add_compiled(path)
    for path in _list_libraries(program, *(path for path in modules if ".so" in path.suffixes)):
        layer.add_file(path)
    for name in ("python", "python3", f"python{version}"):
        if program != Path("/usr/local/bin", name):
            layer.add_link(f"usr/local/bin/{name}", str(program))
    if _CERTIFICATES.exists():
        layer.add_file(_CERTIFICATES)
    if shutil.which("busybox"):
        _add_busybox(layer, _find_busybox())
    _write_layout(folder, layer, {"Cmd": ["python3"], "Env": [f"PATH={_PATH}", "LANG=C.UTF-8"]})


def _find_busybox() -> Path:
    found = shutil.which("busybox")
    if found is None:
        raise FileNotFoundError("there is no busybox on this machine: on Debian, apt-get install busybox-static")
    return Path(found)


def _add_busybox(layer: _Layer, program: Path) -> None:
    layer.add_file(program, "bin/busybox")
    for path in _list_libraries(program):
        layer.add_file(path)
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        if name != "busybox":
            layer.add_link(f"bin/{name}", "busybox")


def _list_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name not in _LEFT_OUT and not path.name.startswith("config-"):
                yield from _list_files(path)
        elif path.is_file():
            yield path


def _list_libraries(*programs: Path) -> Iterable[Path]:
    """Return the shared libraries that programs need, with the loader."""
    # What needs none, since it is static, makes it fail, and is no mistake.
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    return sorted({Path(found) for found in _LIBRARY.findall(said)})


def _write_layout(folder: Path, layer: _Layer, config: dict[str, Any]) -> None:
    """Write an image of one layer as an OCI layout."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    layer_file = blobs / "layer"
    plain, digest, size = layer.write(layer_file)
    layer_file.rename(blobs / digest.removeprefix("sha256:"))

    def keep(document: dict[str, Any], media_type: str) -> dict[str, Any]:
        content = json.dumps(document).encode()
        found = hashlib.sha256(content).hexdigest()
        (blobs / found).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{found}", "size": len(content)}

    machine = platform.machine()
    image = {
        "os": "linux",
        "architecture": _ARCHITECTURES.get(machine, machine),
        "created": "1970-01-01T00:00:00Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [plain]},
    }
    layers = [{"mediaType": f"{LAYER}+gzip", "digest": digest, "size": size}]
    head = {"schemaVersion": 2, "mediaType": MANIFEST}
    manifest = keep({**head, "config": keep(image, CONFIG), "layers": layers}, MANIFEST)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]}))
