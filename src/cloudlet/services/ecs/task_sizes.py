"""CPU and memory of whole tasks, and which of them Fargate has.

Developer guide, "Task size" and "Fargate task definition parameters".
"""

from __future__ import annotations

import re
from typing import Final

from cloudlet.services.ecs import errors

_CPU: Final = re.compile(r"(\d*\.?\d+)\s*(vcpu)?", re.IGNORECASE | re.ASCII)
_MEMORY: Final = re.compile(r"(\d*\.?\d+)\s*(gb)?", re.IGNORECASE | re.ASCII)
_CPU_OF_VCPU: Final = 1024
_CPUS: Final = range(128, 196_609)
_GIB: Final = 1024
_FARGATE: Final = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
    8192: tuple(range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB)),
    16384: tuple(range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB)),
}


def parse_cpu(text: str) -> int:
    """Return CPU units of a text such as "256" or "0.25 vCPU". Raises ClientException."""
    units = _parse(_CPU, text, _CPU_OF_VCPU)
    if units is None or units not in _CPUS:
        raise _InvalidSize("cpu")
    return units


def parse_memory(text: str) -> int:
    """Return MiB of a text such as "512" or "0.5 GB". Raises ClientException."""
    size = _parse(_MEMORY, text, _GIB)
    if not size:
        raise _InvalidSize("memory")
    return size


def _parse(form: re.Pattern[str], text: str, factor: int) -> int | None:
    match = form.fullmatch(text.strip())
    if match is None:
        return None
    number, unit = match.groups()
    size = float(number) * (factor if unit else 1)
    return int(size) if size.is_integer() else None


def is_of_fargate(cpu: int, memory: int) -> bool:
    """Whether Fargate has tasks of this size."""
    return memory in _FARGATE.get(cpu, ())


class _InvalidSize(errors.ClientError):
    def __init__(self, member: str) -> None:
        super().__init__(
            f"Invalid '{member}' setting for task. For more information, see the Troubleshooting section of the "
            "Amazon ECS Developer Guide."
        )
