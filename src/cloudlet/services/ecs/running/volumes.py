"""Volumes of tasks: folders of the machine.

Developer guide, "Use bind mounts with Amazon ECS" and "Use Docker volumes with Amazon ECS".
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from cloudlet.engines.containers import users
from cloudlet.engines.images import resolve_path
from cloudlet.services.ecs.running.failures import TaskFailure
from cloudlet.services.ecs.running.runner import Runner
from cloudlet.services.ecs.task_record import Task


def provide(runner: Runner, task: Task, volume: dict[str, Any], root: Path, target: str) -> Path:
    """Return the folder of a volume, which is made where it is missing. Waits for the disk. Raises TaskFailure.

    A new one gets what the image has at its target, as with Docker.
    """
    source = (volume.get("host") or {}).get("sourcePath")
    if source:
        return _find_on_machine(Path(source))
    docker = volume.get("dockerVolumeConfiguration") or {}
    if docker.get("scope") == "shared":
        data = Path(runner.block.cloud.config.data)
        shared = data / "work" / "ecs" / "volumes" / task.account / task.region
        folder = shared / volume["name"]
        if not folder.exists() and not docker.get("autoprovision"):
            raise TaskFailure(f"ResourceInitializationError: there is no volume {volume['name']}")
    else:
        folder = runner.get_folder(task) / "volumes" / volume["name"]
    if not folder.exists():
        _make(folder, resolve_path(root, target))
    return Path(folder)


def _find_on_machine(source: Path) -> Path:
    """Return a folder or file of the machine. A missing one is made, as with Docker."""
    if not source.exists():
        try:
            source.mkdir(parents=True)
        except OSError as error:
            raise TaskFailure(f"CannotCreateContainerError: the volume {source} cannot be made: {error}") from None
        users.give(source)
    return source


def _make(folder: Path, given: Path) -> None:
    fresh = folder.with_name(f"{folder.name}.fresh")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    if given.is_dir():
        shutil.rmtree(fresh, ignore_errors=True)
        _copy(given, fresh)
    else:
        fresh.mkdir(exist_ok=True)
        users.give(fresh)
    fresh.rename(folder)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with its owners."""
    target.mkdir()
    shutil.copystat(source, target)
    _copy_owner(source, target)
    for each in source.iterdir():
        copied = target / each.name
        if each.is_dir() and not each.is_symlink():
            _copy(each, copied)
        else:
            shutil.copy2(each, copied, follow_symlinks=False)
            _copy_owner(each, copied)


def _copy_owner(source: Path, target: Path) -> None:
    found = source.lstat()
    with suppress(PermissionError):
        os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
