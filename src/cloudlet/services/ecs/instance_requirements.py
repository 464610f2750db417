"""The rules for the instances of capacity providers, each of which is this machine.

API reference, InstanceLaunchTemplate and InstanceRequirementsRequest. What cannot be honoured is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cloudlet.services.ecs import errors
from cloudlet.services.ecs.machine import measure_cpu, measure_memory

_Members = Mapping[str, Any]
_PROFILE: Final = re.compile(r"arn:[a-z-]+:iam::\d{12}:instance-profile/.+", re.ASCII)
_CPU_OF_VCPU: Final = 1024
_MIB_OF_GIB: Final = 1024
_SCALE_IN_SECONDS: Final = range(-1, 3601)
_MANUFACTURERS: Final = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}

_OF_TEMPLATES: Final = {
    "storageConfiguration": "data volumes of instances (storageConfiguration)",
    "capacityReservations": "capacity reservations (capacityReservations)",
    "fipsEnabled": "instances with FIPS modules (fipsEnabled)",
    "nitroEnclavesEnabled": "instances with Nitro Sandbox (nitroEnclavesEnabled)",
    "instanceMetadataTagsPropagation": "an instance metadata service (instanceMetadataTagsPropagation)",
}
_WORDS: Final = {
    "bareMetal": ("required",),
    "burstablePerformance": ("required",),
    "localStorage": ("required",),
}
"""The values of requirements that no instance here meets."""
_LISTS: Final = (
    "acceleratorTypes",
    "acceleratorManufacturers",
    "acceleratorNames",
    "allowedInstanceTypes",
    "localStorageTypes",
)
_RANGES: Final = (
    "acceleratorCount",
    "acceleratorTotalMemoryMiB",
    "baselineEbsBandwidthMbps",
    "networkBandwidthGbps",
    "totalLocalStorageGB",
)
"""Amounts that this machine has none of, or that are not known of it."""


def check(managed: _Members) -> None:
    """Raise AwsError unless this machine can be the instance of a `managedInstancesProvider`."""
    template: _Members = managed.get("instanceLaunchTemplate") or {}
    if not _PROFILE.fullmatch(template.get("ec2InstanceProfileArn") or ""):
        raise errors.InvalidParameter("The specified ec2InstanceProfileArn is not valid.")
    for member, what in _OF_TEMPLATES.items():
        if template.get(member):
            raise errors.NotBuilt(what)
    if (template.get("localStorageConfiguration") or {}).get("useLocalStorage"):
        raise errors.NotBuilt("instance store volumes (localStorageConfiguration)")
    if template.get("monitoring") == "DETAILED":
        raise errors.NotBuilt("detailed monitoring of instances (monitoring)")
    if template.get("capacityOptionType") == "RESERVED":
        raise errors.NotBuilt("capacity reservations (capacityOptionType)")
    _check_care(managed)
    _check_requirements(template.get("instanceRequirements") or {})


def _check_care(managed: _Members) -> None:
    """Raise AwsError for instances that are to come and go by themselves."""
    seconds = (managed.get("infrastructureOptimization") or {}).get("scaleInAfter")
    if seconds is not None and seconds not in _SCALE_IN_SECONDS:
        raise errors.InvalidParameter("scaleInAfter must be between -1 and 3600.")
    if seconds not in (None, -1):
        raise errors.NotBuilt("instances that go while they are idle (scaleInAfter)")
    if (managed.get("autoRepairConfiguration") or {}).get("actionsStatus") == "ENABLED":
        raise errors.NotBuilt("repair of impaired instances (autoRepairConfiguration)")


def _check_requirements(wanted: _Members) -> None:
    for member, values in _WORDS.items():
        if wanted.get(member) in values:
            raise errors.NotBuilt(f"instances of that kind ({member})")
    for member in _LISTS:
        if wanted.get(member):
            raise errors.NotBuilt(f"instances of that kind ({member})")
    for member in _RANGES:
        if (wanted.get(member) or {}).get("min"):
            raise errors.NotBuilt(f"instances of that kind ({member})")
    if wanted.get("requireHibernateSupport"):
        raise errors.NotBuilt("instances that hibernate (requireHibernateSupport)")
    if ((wanted.get("networkInterfaceCount") or {}).get("min") or 0) > 1:
        raise errors.NotBuilt("instances with several network interfaces (networkInterfaceCount)")
    if wanted.get("instanceGenerations") and "current" not in wanted["instanceGenerations"]:
        raise errors.NotBuilt("instances of previous generations (instanceGenerations)")
    if wanted.get("cpuManufacturers") and _find_manufacturer() not in wanted["cpuManufacturers"]:
        raise errors.NotBuilt(f"processors of {', '.join(wanted['cpuManufacturers'])} (cpuManufacturers)")
    for member in ("vCpuCount", "memoryMiB", "memoryGiBPerVCpu"):
        lowest, highest = (wanted.get(member) or {}).get("min"), (wanted.get(member) or {}).get("max")
        if (lowest or 0) < 0 or (highest is not None and highest < max(lowest or 0, 0)):
            raise errors.InvalidParameter(f"The specified {member} is not valid.")
    cpu, size = _find_size(wanted)
    if cpu < max(1, (wanted.get("vCpuCount") or {}).get("min") or 0) * _CPU_OF_VCPU:
        raise errors.NotBuilt(f"an instance with so many vCPUs: it would have {cpu // _CPU_OF_VCPU} (vCpuCount)")
    if size < ((wanted.get("memoryMiB") or {}).get("min") or 0):
        raise errors.NotBuilt(f"an instance with so much memory: it would have {size} MiB (memoryMiB)")


def measure(managed: _Members) -> tuple[int, int]:
    """Return the CPU units and MiB that an instance registers."""
    return _find_size((managed.get("instanceLaunchTemplate") or {}).get("instanceRequirements") or {})


def _find_size(wanted: _Members) -> tuple[int, int]:
    """Return the machine's size, cut to the maxima."""
    vcpus, memory, ratio = (wanted.get(name) or {} for name in ("vCpuCount", "memoryMiB", "memoryGiBPerVCpu"))
    cpu = min(measure_cpu(), (vcpus.get("max") or measure_cpu()) * _CPU_OF_VCPU)
    size = min(measure_memory(), memory.get("max") or measure_memory())
    if ratio.get("max"):
        size = min(size, int(ratio["max"] * _MIB_OF_GIB * cpu / _CPU_OF_VCPU))
    if ratio.get("min"):
        cpu = min(cpu, int(size / _MIB_OF_GIB / ratio["min"]) * _CPU_OF_VCPU)
    return cpu, size


def _find_manufacturer() -> str:
    """Return who has made the machine's processors; empty where that is not known."""
    match = re.search(r"^vendor_id\s*:\s*(\S+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return "" if match is None else _MANUFACTURERS.get(match[1], "")
