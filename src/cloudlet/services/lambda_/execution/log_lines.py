"""What Lambda itself writes to a function's log, as text and as JSON.

Developer guide, "Viewing CloudWatch logs for Lambda functions" and "Lambda Telemetry API Event schema".
"""

from __future__ import annotations

import math
import time
from typing import Any

import msgspec

from cloudlet.services.lambda_.function import Version

_LEVELS = ("DEBUG", "INFO", "WARN")
_LEVEL_OF = {
    "platform.initStart": "INFO",
    "platform.start": "INFO",
    "platform.runtimeDone": "DEBUG",
    "platform.report": "INFO",
}


class Report:
    """What an invocation took: seconds and bytes."""

    __slots__ = ("duration", "error", "init", "memory", "status")

    def __init__(
        self, duration: float, memory: int, init: float | None, status: str = "success", error: str = ""
    ) -> None:
        self.duration = duration
        self.memory = memory
        self.init = init
        """How long the start took that came before it, None where there was none."""
        self.status = status
        self.error = error


def init_start(version: Version) -> str | None:
    """Return the line for the start of a process."""
    if version.logging.format == "JSON":
        record = {
            "initializationType": "on-demand",
            "phase": "init",
            **({"runtimeVersion": f"cloudlet:{version.runtime}"} if version.runtime else {}),
            "functionName": version.place.name,
            "functionVersion": version.version,
        }
        return _json(version, "platform.initStart", record)
    if not version.runtime:
        return None
    return f"INIT_START Runtime Version: cloudlet:{version.runtime}\tRuntime Version ARN: \n"


def start(version: Version, request_id: str) -> str | None:
    """Return the line for the beginning of an invocation."""
    if version.logging.format == "JSON":
        return _json(version, "platform.start", {"requestId": request_id, "version": version.version})
    return f"START RequestId: {request_id} Version: {version.version}\n"


def end(version: Version, request_id: str, report: Report) -> str | None:
    """Return the line for the end of an invocation."""
    if version.logging.format == "JSON":
        record = {"requestId": request_id, "status": report.status, "metrics": {"durationMs": _ms(report.duration)}}
        return _json(version, "platform.runtimeDone", record)
    return f"END RequestId: {request_id}\n"


def report(version: Version, request_id: str, found: Report) -> str | None:
    """Return the line that says what an invocation took."""
    billed = math.ceil(found.duration * 1000)
    memory = max(1, math.ceil(found.memory / (1 << 20)))
    if version.logging.format == "JSON":
        metrics: dict[str, Any] = {
            "durationMs": _ms(found.duration),
            "billedDurationMs": billed,
            "memorySizeMB": version.memory,
            "maxMemoryUsedMB": memory,
        }
        if found.init is not None:
            metrics["initDurationMs"] = _ms(found.init)
        record = {"requestId": request_id, "status": found.status, "metrics": metrics}
        if found.error:
            record["errorType"] = found.error
        return _json(version, "platform.report", record)
    line = (
        f"REPORT RequestId: {request_id}\tDuration: {_ms(found.duration):.2f} ms\tBilled Duration: {billed} ms\t"
        f"Memory Size: {version.memory} MB\tMax Memory Used: {memory} MB\t"
    )
    if found.init is not None:
        line += f"Init Duration: {_ms(found.init):.2f} ms\t"
    if found.status != "success":
        line += f"Status: {found.status}\t"
        line += f"Error Type: {found.error}\t" if found.error else ""
    return line + "\n"


def note(version: Version, request_id: str, text: str, now: float) -> str:
    """Return a line about something that befell an invocation."""
    if version.logging.format == "JSON":
        return msgspec.json.encode({"time": _time(now), "type": "platform.fault", "record": text}).decode() + "\n"
    return f"{_time(now)} {request_id} {text}\n"


def _json(version: Version, kind: str, record: dict[str, Any]) -> str | None:
    least = version.logging.system_level or "INFO"
    if _LEVELS.index(_LEVEL_OF[kind]) < _LEVELS.index(least):
        return None
    return msgspec.json.encode({"time": _time(time.time()), "type": kind, "record": record}).decode() + "\n"


def _time(now: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
