"""What Lambda itself tells of a function's process: as lines of a log, in text and in JSON, and as telemetry.

Developer guide, "Viewing CloudWatch logs for Lambda functions", "System log level event mapping", "Monitoring for
Lambda SnapStart" and "Lambda Telemetry API Event schema reference".
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec

from cloudlet.core.aws import iso8601
from cloudlet.services.lambda_.functions.function import Logging, Version

_LEVELS = ("DEBUG", "INFO", "WARN")
_DETAILS = frozenset(("platform.initRuntimeDone", "platform.runtimeDone", "platform.restoreRuntimeDone"))
"""What is of interest only where it did not go well."""


class Report:
    """What an invocation took: seconds and bytes."""

    __slots__ = ("duration", "error", "init", "memory", "restore", "status")

    def __init__(
        self,
        duration: float,
        memory: int,
        init: float | None,
        restore: float | None = None,
        status: str = "success",
        error: str = "",
    ) -> None:
        self.duration = duration
        self.memory = memory
        self.init = init
        """How long the start took that came before it, None where there was none."""
        self.restore = restore
        """How long it took to go on from a snapshot, None where it did not."""
        self.status = status
        self.error = error


class Event(NamedTuple):
    """Something that has happened."""

    kind: str
    record: dict[str, Any] | str
    text: str | None
    """The line for it where a log is text; None where that has none."""

    @property
    def level(self) -> str:
        """How much it matters, as logs in JSON have it."""
        record = self.record
        if isinstance(record, str):
            return "WARN"
        if record.get("status", "success") != "success" or "errorType" in record or self.kind == "platform.logsDropped":
            return "WARN"
        if self.kind == "platform.initReport" and record["initializationType"] == "on-demand":
            return "DEBUG"
        return "DEBUG" if self.kind in _DETAILS else "INFO"

    def told(self, now: float) -> dict[str, Any]:
        """Return it as telemetry."""
        return {"time": moment(now), "type": self.kind, "record": self.record}

    def line(self, logging: Logging, now: float) -> str | None:
        """Return the line for it in a log; None where there is none."""
        if logging.format != "JSON":
            return self.text
        if _LEVELS.index(self.level) < _LEVELS.index(logging.system_level or "INFO"):
            return None
        return msgspec.json.encode(self.told(now)).decode() + "\n"


def _runtime(version: Version) -> dict[str, str]:
    if not version.runtime:
        return {}
    return {"runtimeVersion": f"cloudlet:{version.runtime}", "runtimeVersionArn": version.runtime_version_arn}


def _named(version: Version) -> dict[str, str]:
    return {**_runtime(version), "functionName": version.place.name, "functionVersion": version.version}


def _begun(version: Version, word: str) -> str | None:
    if not version.runtime:
        return None
    return f"{word} Runtime Version: cloudlet:{version.runtime}\tRuntime Version ARN: {version.runtime_version_arn}\n"


def _status(error: str) -> dict[str, str]:
    """Return how something has ended, by the type of the error with which it did."""
    if not error:
        return {"status": "success"}
    return {"status": "timeout"} if error == "Sandbox.Timedout" else {"status": "error", "errorType": error}


def _status_text(error: str) -> str:
    status = _status(error)
    text = "" if status["status"] == "success" else f"\tStatus: {status['status']}"
    return text + (f"\tError Type: {error}" if "errorType" in status else "")


def init_start(version: Version, initialization: str) -> Event:
    """A process starts."""
    record = {"initializationType": initialization, "phase": "init", **_named(version)}
    return Event("platform.initStart", record, _begun(version, "INIT_START"))


def init_done(initialization: str, error: str) -> Event:
    """The function has been initialised, or has failed to be."""
    record = {"initializationType": initialization, "phase": "init", **_status(error)}
    return Event("platform.initRuntimeDone", record, None)


def init_report(initialization: str, seconds: float, error: str) -> Event:
    """What that took."""
    metrics = {"durationMs": _ms(seconds)}
    record = {"initializationType": initialization, "phase": "init", **_status(error), "metrics": metrics}
    # Where all goes well it is the first invocation's report that has it.
    is_told = error or initialization == "snap-start"
    text = f"INIT_REPORT Init Duration: {_ms(seconds):.2f} ms\tPhase: init{_status_text(error)}\n"
    return Event("platform.initReport", record, text if is_told else None)


def restore_start(version: Version) -> Event:
    """A process goes on from where it was initialised."""
    return Event("platform.restoreStart", _named(version), _begun(version, "RESTORE_START"))


def restore_done(error: str) -> Event:
    """It has gone on, or has failed to."""
    return Event("platform.restoreRuntimeDone", _status(error), None)


def restore_report(seconds: float, error: str) -> Event:
    """What that took."""
    record = {**_status(error), "metrics": {"durationMs": _ms(seconds)}}
    text = f"RESTORE_REPORT Restore Duration: {_ms(seconds):.2f} ms{_status_text(error)}\n"
    return Event("platform.restoreReport", record, text)


def start(version: Version, request_id: str) -> Event:
    """An invocation begins."""
    record = {"requestId": request_id, "version": version.version}
    return Event("platform.start", record, f"START RequestId: {request_id} Version: {version.version}\n")


def end(request_id: str, report: Report) -> Event:
    """It has ended."""
    record = {"requestId": request_id, "status": report.status, "metrics": {"durationMs": _ms(report.duration)}}
    return Event("platform.runtimeDone", record, f"END RequestId: {request_id}\n")


def report(version: Version, request_id: str, found: Report) -> Event:
    """What it took."""
    billed = math.ceil((found.duration + (found.restore or 0.0)) * 1000)
    memory = max(1, math.ceil(found.memory / (1 << 20)))
    metrics: dict[str, Any] = {
        "durationMs": _ms(found.duration),
        "billedDurationMs": billed,
        "memorySizeMB": version.memory,
        "maxMemoryUsedMB": memory,
    }
    text = (
        f"REPORT RequestId: {request_id}\tDuration: {_ms(found.duration):.2f} ms\tBilled Duration: {billed} ms\t"
        f"Memory Size: {version.memory} MB\tMax Memory Used: {memory} MB\t"
    )
    if found.init is not None:
        metrics["initDurationMs"] = _ms(found.init)
        text += f"Init Duration: {_ms(found.init):.2f} ms\t"
    if found.restore is not None:
        restore_billed = math.ceil(found.restore * 1000)
        metrics |= {"restoreDurationMs": _ms(found.restore), "billedRestoreDurationMs": restore_billed}
        text += f"Restore Duration: {_ms(found.restore):.2f} ms\tBilled Restore Duration: {restore_billed} ms\t"
    record = {"requestId": request_id, "status": found.status, "metrics": metrics}
    if found.error:
        record["errorType"] = found.error
    if found.status != "success":
        text += f"Status: {found.status}\t" + (f"Error Type: {found.error}\t" if found.error else "")
    return Event("platform.report", record, text + "\n")


def extension(name: str, events: list[str], state: str = "Ready", error: str = "") -> Event:
    """An extension is there, or has failed."""
    record: dict[str, Any] = {"name": name, "state": state, "events": events}
    if error:
        record["errorType"] = error
    text = f"EXTENSION\tName: {name}\tState: {state}\tEvents: [{', '.join(events)}]"
    return Event("platform.extension", record, f"{text}\tError Type: {error}\n" if error else f"{text}\n")


def subscribed(name: str, types: list[str], *, of_logs: bool) -> Event:
    """An extension is told of what happens from now on."""
    record = {"name": name, "state": "Subscribed", "types": types}
    said = ", ".join(each.capitalize() for each in types)
    word, kind = ("LOGS", "platform.logsSubscription") if of_logs else ("TELEMETRY", "platform.telemetrySubscription")
    return Event(kind, record, f"{word}\tName: {name}\tState: Subscribed\tTypes: [{said}]\n")


def dropped(records: int, size: int) -> Event:
    """An extension was not told of everything."""
    reason = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."
    record = {"droppedRecords": records, "droppedBytes": size, "reason": reason}
    return Event("platform.logsDropped", record, None)


def fault(request_id: str, text: str, now: float) -> Event:
    """Something has befallen an invocation."""
    return Event("platform.fault", text, f"{moment(now)} {request_id} {text}\n")


def moment(now: float) -> str:
    """Return a time, in seconds since the epoch, as logs have it."""
    return iso8601.millisecond(int(now * 1000))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
