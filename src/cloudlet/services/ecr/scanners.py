"""Vulnerability scanners of this machine: Trivy and Grype.

A scanner runs with the rights of Cloudlet, outside of a sandbox: it keeps its vulnerability database where it always
does, and downloads it. Its environment, time and output are limited.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from cloudlet.core.background.workers import run_in_worker
from cloudlet.engines.children import Child
from cloudlet.services.ecr.scanner_reports import Report, parse_grype, parse_trivy

SETTING: Final = "CLOUDLET_SCANNER"
LAYOUT: Final = "image"
"""The name of the image's folder. No path is told: Trivy takes what follows a colon for a tag."""
_COMMANDS: Final = {
    "trivy": ("image", "--input", LAYOUT, "--format", "json", "--quiet"),
    "grype": (f"oci-dir:{LAYOUT}", "-o", "json"),
}
_TRIVY_VERSION: Final = ("version", "--format", "json")
_MAX_SCAN_SECONDS: Final = 900.0
"""Enough for the first scan, which downloads a database."""
_MAX_OUTPUT_BYTES: Final = 64 << 20
_MAX_REASON_CHARACTERS: Final = 300
_LOOK_SECONDS: Final = 1.0
_PASSED_ON: Final = frozenset(
    (
        *("PATH", "HOME", "LANG", "XDG_CACHE_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
        *("TRIVY_CACHE_DIR", "TRIVY_DB_REPOSITORY", "TRIVY_JAVA_DB_REPOSITORY", "TRIVY_OFFLINE_SCAN"),
        *("TRIVY_SKIP_DB_UPDATE", "TRIVY_SKIP_JAVA_DB_UPDATE"),
        *("GRYPE_DB_CACHE_DIR", "GRYPE_DB_AUTO_UPDATE", "GRYPE_DB_UPDATE_URL", "GRYPE_DB_VALIDATE_AGE"),
    )
)
"""The variables of Cloudlet's environment that scanners see."""
_OWN: Final = {
    "TRIVY_SCANNERS": "vuln",
    "TRIVY_TIMEOUT": f"{_MAX_SCAN_SECONDS:.0f}s",
    "TRIVY_SKIP_VERSION_CHECK": "true",
    "GRYPE_CHECK_FOR_APP_UPDATE": "false",
}


_ENDING_WITH_US: Final = ("setpriv", "--pdeathsig", "KILL")
"""The command that has the kernel end a scanner with Cloudlet (util-linux)."""


class ScannerError(Exception):
    """A scan that has failed, for a reason that the image's owner is told."""


class Scanner(NamedTuple):
    """A program that scans images."""

    kind: str
    path: str


def find() -> Scanner | None:
    """Return the scanner that CLOUDLET_SCANNER names, or else one on the PATH."""
    named = os.environ.get(SETTING)
    if named is None:
        found = ((kind, shutil.which(kind)) for kind in _COMMANDS)
    else:
        found = ((kind, shutil.which(named)) for kind in _COMMANDS if Path(named).name.startswith(kind))
    return next((Scanner(kind, str(Path(path).absolute())) for kind, path in found if path is not None), None)


async def scan(scanner: Scanner, folder: Path, account: str) -> Report:
    """Return what a scanner finds in the image of a folder (`LAYOUT`). Raises ScannerError, OSError."""
    text = await _run([scanner.path, *_COMMANDS[scanner.kind]], folder)
    try:
        if scanner.kind == "grype":
            return await run_in_worker(account, parse_grype, text)
        version = await _run([scanner.path, *_TRIVY_VERSION], folder)
        return await run_in_worker(account, parse_trivy, text, version)
    except (ValueError, RecursionError) as error:
        raise ScannerError(f"{scanner.kind} has written no report that can be read: {error}") from None


def _make_environment(given: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the variables that a scanner sees: its temporary files go with the image."""
    return {name: value for name, value in given.items() if name in _PASSED_ON} | _OWN | {"TMPDIR": str(folder)}


async def _run(command: Sequence[str], folder: Path) -> bytes:
    """Return what a program writes. Raises ScannerError, OSError."""
    files = [folder / "output", folder / "errors"]
    wrapper = _ENDING_WITH_US if shutil.which(_ENDING_WITH_US[0]) else ()
    name, end = Path(command[0]).name, asyncio.get_running_loop().time() + _MAX_SCAN_SECONDS
    with files[0].open("wb") as output, files[1].open("wb") as errors:
        try:
            child = Child(
                [*wrapper, *command],
                cwd=folder,
                env=_make_environment(os.environ, folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            raise ScannerError(f"{name} cannot be started: {error.strerror}") from None
    try:
        while child.status is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), _LOOK_SECONDS)
            if sum(file.stat().st_size for file in files) > _MAX_OUTPUT_BYTES:
                raise ScannerError(f"{name} writes more than {_MAX_OUTPUT_BYTES} bytes")
            if asyncio.get_running_loop().time() > end:
                raise ScannerError(f"{name} takes more than {_MAX_SCAN_SECONDS:.0f} seconds")
    finally:
        if child.status is None:
            os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
    if child.status:
        lines = (await asyncio.to_thread(files[1].read_text, errors="replace")).strip().splitlines()
        reason = lines[-1][-_MAX_REASON_CHARACTERS:] if lines else "it says no reason"
        raise ScannerError(f"{name} ended with status {child.status}: {reason}")
    return await asyncio.to_thread(files[0].read_bytes)
