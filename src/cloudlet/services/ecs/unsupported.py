"""Members of task definitions that Cloudlet cannot honour: they are refused, not ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.services.ecs import errors

_Members = Mapping[str, Any]
_LOG_DRIVERS: Final = ("awslogs", "json-file")

_TMPFS_OPTIONS: Final = ("defaults", "rw", "nosuid", "nodev", "exec")
"""The options that a tmpfs of a container has in any case."""
_OF_TASKS: Final[dict[str, str]] = {
    "inferenceAccelerators": "accelerators for tasks",
    "trustedExecutionConfiguration": "trusted execution of tasks",
    "pidMode": "process namespaces that tasks share (pidMode)",
    "enableFaultInjection": "fault injection for tasks",
}
_OF_CONTAINERS: Final[dict[str, str]] = {
    "links": "links between containers",
    "privileged": "privileged containers",
    "resourceRequirements": "GPUs and accelerators for containers",
    "firelensConfiguration": "FireLens",
    "interactive": "interactive containers",
    "pseudoTerminal": "containers with a terminal (pseudoTerminal)",
    "credentialSpecs": "credential specifications of Active Directory",
    "disableNetworking": "containers without network (disableNetworking)",
}
_OF_LINUX: Final[dict[str, str]] = {
    "devices": "devices of the host in containers",
    "maxSwap": "swap for containers (maxSwap)",
    "swappiness": "swap for containers (swappiness)",
}
_OF_VOLUMES: Final[dict[str, str]] = {
    "efsVolumeConfiguration": "volumes of Amazon EFS",
    "s3filesVolumeConfiguration": "volumes of Amazon S3 Files",
    "fsxWindowsFileServerVolumeConfiguration": "volumes of Amazon FSx",
    "configuredAtLaunch": "volumes of Amazon EBS (configuredAtLaunch)",
}


def check(params: _Members) -> None:
    """Raise ClientException for the first member of a task definition that cannot be honoured."""
    _refuse(params, _OF_TASKS)
    if (ipc := params.get("ipcMode")) and ipc != "task":
        raise errors.NotBuilt(f"IPC mode {ipc}")
    family = (params.get("runtimePlatform") or {}).get("operatingSystemFamily") or "LINUX"
    if family != "LINUX":
        raise errors.NotBuilt(f"tasks of {family}")
    for container in params["containerDefinitions"]:
        _check_container(container)
    for volume in params.get("volumes") or ():
        _refuse(volume, _OF_VOLUMES)
        driver = (volume.get("dockerVolumeConfiguration") or {}).get("driver") or "local"
        if driver != "local":
            raise errors.NotBuilt(f"the volume driver {driver}")
        if (volume.get("dockerVolumeConfiguration") or {}).get("driverOpts"):
            raise errors.NotBuilt("options of volume drivers (driverOpts)")


def check_log(configuration: _Members) -> None:
    """Raise ClientException for a log configuration that cannot be honoured."""
    driver = configuration.get("logDriver") or _LOG_DRIVERS[0]
    if driver not in _LOG_DRIVERS:
        raise errors.NotBuilt("FireLens" if driver == "awsfirelens" else f"the log driver {driver}")
    if configuration.get("secretOptions"):
        raise errors.NotBuilt("secrets for log drivers (secretOptions)")


def _check_container(container: _Members) -> None:
    _refuse(container, _OF_CONTAINERS)
    for each in container.get("systemControls") or ():
        if not each.get("namespace", "").startswith("net."):
            raise errors.NotBuilt(f"the kernel parameter {each.get('namespace')}: those of networks alone")
    linux = container.get("linuxParameters") or {}
    _refuse(linux, _OF_LINUX)
    for option in (option for tmpfs in linux.get("tmpfs") or () for option in tmpfs.get("mountOptions") or ()):
        if option not in _TMPFS_OPTIONS:
            raise errors.NotBuilt(f"the mount option {option} of tmpfs")
    check_log(container.get("logConfiguration") or {})
    if container.get("versionConsistency") == "enabled":
        raise errors.NotBuilt("version consistency of images (versionConsistency)")
    for option in container.get("dockerSecurityOptions") or ():
        if option not in ("no-new-privileges", "no-new-privileges:true"):
            raise errors.NotBuilt(f"the security option {option}")


def _refuse(members: _Members, unsupported: Mapping[str, str]) -> None:
    for name, what in unsupported.items():
        if members.get(name):
            raise errors.NotBuilt(what)
