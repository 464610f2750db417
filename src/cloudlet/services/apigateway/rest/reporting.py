"""What is told of a request that was answered: metrics, the access log, the execution log.

Developer guide, "Monitor REST API execution with Amazon CloudWatch metrics" and "Set up CloudWatch logging for REST
APIs in API Gateway".
"""

from __future__ import annotations

from time import perf_counter

from cloudlet.core.telemetry.metrics import Dimensions, is_measured
from cloudlet.services.apigateway import access_log, measuring
from cloudlet.services.apigateway.access_log import OWN_GROUPS, Group
from cloudlet.services.apigateway.rest.call import Call
from cloudlet.wire import HttpResponse


def report(call: Call, response: HttpResponse) -> None:
    """Tell metrics and logs of a call."""
    stage = call.stage
    if is_measured(call.block):
        _measure(call)
    if stage.log is not None:
        access_log.note(call.block, stage.log.group, int(call.time * 1000), stage.log.line(call.logged))
    if call.trace.lines and (call.trace.failed or _is_told_all(call)):
        place = call.place
        group = Group(place.account, place.region, f"{OWN_GROUPS}{call.api_id}/{stage.name}", stage.name)
        for millis, text in call.trace.lines:
            access_log.note(call.block, group, millis, f"({call.id}) {text}")


def _is_told_all(call: Call) -> bool:
    return call.method is not None and call.method.settings.get("loggingLevel") == "INFO"


def _measure(call: Call) -> None:
    name, stage = ("ApiName", call.stage.api_name), ("Stage", call.stage.name)
    dimensions: list[Dimensions] = [(name,), (name, stage)]
    if call.method is not None and call.method.settings.get("metricsEnabled"):
        dimensions.append((name, ("Method", call.verb), ("Resource", call.resource), stage))
    millis = (perf_counter() - call.started) * 1000
    for meter in measuring.meters(call.block, call.place, *dimensions):
        meter.add("Count", "Count", 1.0)
        meter.add("4XXError", "Count", 1.0 if 400 <= call.status < 500 else 0.0)
        meter.add("5XXError", "Count", 1.0 if call.status >= 500 else 0.0)
        meter.add("Latency", "Milliseconds", float(int(millis)))
        if call.integration_millis is not None:
            meter.add("IntegrationLatency", "Milliseconds", float(call.integration_millis))
        if call.from_cache is not None:
            meter.add("CacheHitCount" if call.from_cache else "CacheMissCount", "Count", 1.0)
