"""The machine a run was made on, so that figures of different runs are not mixed up."""

import os
import platform
import subprocess
from pathlib import Path


def describe(data: Path) -> dict[str, object]:
    """Processor, memory, system, and the file system that Cloudlet's data was on."""
    return {
        "processor": _first_value(Path("/proc/cpuinfo"), "model name"),
        "cores": os.cpu_count(),
        "memory": _first_value(Path("/proc/meminfo"), "MemTotal"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "data_file_system": _file_system(data),
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


def _first_value(path: Path, name: str) -> str:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _file_system(folder: Path) -> str:
    answer = subprocess.run(
        ["findmnt", "-n", "-o", "FSTYPE,SOURCE", "-T", str(folder)], check=False, capture_output=True, text=True
    )
    return " ".join(answer.stdout.split()) or "unknown"
