"""How the program of a container image is run. Developer guide, "Container image settings".

Errors are those of functions whose images cannot be started: developer guide, "Troubleshoot container image issues".
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.engines.images import ImageError, resolve_path
from cloudlet.services.lambda_.code import images
from cloudlet.services.lambda_.execution import environment
from cloudlet.services.lambda_.execution.interpreters import Interpreter
from cloudlet.services.lambda_.execution.invocation import Outcome, error_document
from cloudlet.services.lambda_.execution.worker import InitError
from cloudlet.services.lambda_.functions.function import Image, Version


async def interpreter(block: Block, version: Version, image: Image) -> Interpreter:
    """Return what runs a version that is an image. Raises AwsError, InitError."""
    try:
        root = await images.unpacked(block, version, image)
    except images.Unavailable as error:
        raise AwsError("ResourceNotReadyException", f"The image of the function: {error}", status=502) from None
    changed = version.image_config
    entry_point = image.entry_point if changed.entry_point is None else changed.entry_point
    command = image.command if changed.command is None else changed.command
    folder = changed.working_directory or image.working_directory or "/"
    found = Interpreter("", (*entry_point, *command), (), is_custom=True, root=root, folder=folder)
    await asyncio.to_thread(_check, root, found)
    return found


def _check(root: Path, found: Interpreter) -> None:
    """Raise InitError where an image has not what it is to be run by."""
    if not found.command:
        raise _not_started("Runtime.InvalidEntrypoint", "neither an entry point nor a command is set")
    program = found.command[0]
    if program.startswith("/"):
        file = _find(root, program)
        if file is None or not file.is_file():
            raise _not_started("Runtime.InvalidEntrypoint", f"fork/exec {program}: no such file or directory")
        if not file.stat().st_mode & 0o111:
            raise _not_started("Runtime.InvalidEntrypoint", f"fork/exec {program}: permission denied")
    folder = _find(root, found.folder)
    if not found.folder.startswith("/") or folder is None or not folder.is_dir():
        raise _not_started("Runtime.InvalidWorkingDir", f"chdir {found.folder}: no such file or directory")


def _find(root: Path, name: str) -> Path | None:
    try:
        return resolve_path(root, name)
    except (ImageError, OSError):
        return None


def _not_started(kind: str, message: str) -> InitError:
    return InitError(Outcome(error_document(kind, f"Error: {message}"), kind))


def extensions(root: Path) -> list[str]:
    """Return the programs that are to run beside the runtime. Waits for the disk."""
    folder = f"{environment.LAYERS_ROOT}/extensions"
    found = _find(root, folder)
    if found is None or not found.is_dir():
        return []
    programs = (f"{folder}/{each}" for each in sorted(os.listdir(found)))  # noqa: PTH208 - names are wanted
    files = ((program, _find(root, program)) for program in programs)
    return [program for program, file in files if file and file.is_file() and file.stat().st_mode & 0o111]
