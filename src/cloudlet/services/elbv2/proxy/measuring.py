"""Metrics of load balancers for CloudWatch (user guides, "CloudWatch metrics for your … Load Balancer")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from cloudlet.core.telemetry.metrics import Meter, Metrics, clamp_to_ended_minute
from cloudlet.core.telemetry.reporting import send
from cloudlet.services.elbv2.proxy import access_log
from cloudlet.services.elbv2.proxy.view import Listener, LoadBalancer, TargetGroup, View

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_LAMBDA: Final = "lambda"
_NAMED_STATUSES: Final = (500, 502, 503, 504)


class Meters:
    """Measurements of the load balancers of all VPCs, until they are sent."""

    def __init__(self, *, is_wanted: bool) -> None:
        self._application = Metrics("AWS/ApplicationELB", is_wanted=is_wanted)
        self._network = Metrics("AWS/NetworkELB", is_wanted=is_wanted)
        self._is_wanted = is_wanted

    def add_request(self, view: View, load_balancer: LoadBalancer, entry: Any) -> None:
        """Count a request to an Application Load Balancer."""
        if not self._is_wanted:
            return
        group = view.target_groups.get(entry.common_properties.upstream_cluster)
        own = self._application.meter(view.account, view.region, (_make_balancer_name(load_balancer),))
        shared = None
        if group is not None:
            places = _make_group_name(group), _make_balancer_name(load_balancer)
            shared = self._application.meter(view.account, view.region, places)
            self._add_per_target(view, group, shared)
        for name, value, unit, is_of_group in _measure_request(entry, group):
            for meter in (own, shared if is_of_group else None):
                if meter is not None:
                    _add(meter, name, value, unit)

    def _add_per_target(self, view: View, group: TargetGroup, shared: Meter | None) -> None:
        if group.description.get("TargetType") == _LAMBDA:
            return
        count = sum(target.draining_until is None for target in group.targets)
        for meter in (shared, self._application.meter(view.account, view.region, (_make_group_name(group),))):
            if meter is not None:
                meter.add("RequestCountPerTarget", "Count", 1 / max(count, 1))

    def add_connection(self, view: View, load_balancer: LoadBalancer, listener: Listener, entry: Any) -> None:
        """Count a connection to a load balancer that has ended."""
        metrics = self._application if load_balancer.is_application else self._network
        meter = metrics.meter(view.account, view.region, (_make_balancer_name(load_balancer),))
        if not self._is_wanted or meter is None:
            return
        if entry.common_properties.downstream_transport_failure_reason:
            meter.counts["ClientTLSNegotiationErrorCount"] += 1
        if load_balancer.is_application:
            meter.counts["NewConnectionCount"] += 1
            return
        kind = "TLS" if listener.description["Protocol"] == "TLS" else "TCP"
        size = entry.connection_properties.received_bytes + entry.connection_properties.sent_bytes
        for end in ("", f"_{kind}"):
            meter.counts[f"NewFlowCount{end}"] += 1
            meter.add(f"ProcessedBytes{end}", "Bytes", size)

    def count(self, view: View, load_balancer: LoadBalancer, name: str) -> None:
        """Count something of an Application Load Balancer."""
        self._count(view, name, _make_balancer_name(load_balancer))

    def count_group(self, view: View, group: TargetGroup, name: str) -> None:
        """Count something of a target group, and of the load balancer that uses it."""
        self._count(view, name, _make_group_name(group))
        arns = group.description.get("LoadBalancerArns") or ()
        for each in view.load_balancers:
            if list(arns) == [each.arn]:
                self._count(view, name, _make_group_name(group), _make_balancer_name(each))

    def _count(self, view: View, name: str, *dimensions: tuple[str, str]) -> None:
        meter = self._application.meter(view.account, view.region, dimensions)
        if self._is_wanted and meter is not None:
            meter.counts[name] += 1

    def add_hosts(
        self, view: View, load_balancer: LoadBalancer, group: TargetGroup, healthy: int, unhealthy: int, now: float
    ) -> None:
        """Note how many targets of a group are healthy, and how many are not."""
        metrics = self._application if load_balancer.is_application else self._network
        dimensions = (_make_group_name(group), _make_balancer_name(load_balancer))
        for name, value in (("HealthyHostCount", healthy), ("UnHealthyHostCount", unhealthy)):
            metrics.add(view.account, view.region, name, dimensions, now, value)

    async def report(self, block: Block) -> None:
        """Send what was measured in minutes that have ended."""
        if self._is_wanted:
            for metrics in (self._application, self._network):
                metrics.read_meters(clamp_to_ended_minute(block.clock.now()))
                await send(block, metrics)


def _make_balancer_name(load_balancer: LoadBalancer) -> tuple[str, str]:
    return "LoadBalancer", access_log.get_resource_id(load_balancer.arn)


def _make_group_name(group: TargetGroup) -> tuple[str, str]:
    return "TargetGroup", access_log.get_resource_id(group.arn)


def _add(meter: Meter, name: str, value: float, unit: str) -> None:
    if unit == "Count":
        meter.counts[name] += 1
    else:
        meter.add(name, unit, value)


def _measure_request(entry: Any, group: TargetGroup | None) -> Iterator[tuple[str, float, str, bool]]:
    """Yield measurements of a request: name, value, unit, and whether it is the group's, too."""
    common = entry.common_properties
    status, target_status = access_log.get_status(entry), access_log.find_target_status(entry)
    size = common.downstream_wire_bytes_received + common.downstream_wire_bytes_sent
    yield "ProcessedBytes", size, "Bytes", False
    if group is not None:
        yield "RequestCount", 1, "Count", True
    if target_status is not None:
        yield f"HTTPCode_Target_{target_status // 100}XX_Count", 1, "Count", True
        seconds = access_log.measure_target_time(common)
        if seconds is not None:
            yield "TargetResponseTime", seconds, "Seconds", True
        return
    yield f"HTTPCode_ELB_{status // 100}XX_Count", 1, "Count", False
    if status in _NAMED_STATUSES:
        yield f"HTTPCode_ELB_{status}_Count", 1, "Count", False
    action = dict(common.custom_tags).get("actions", "").rpartition(",")[2]
    if action == "fixed-response":
        yield "HTTP_Fixed_Response_Count", 1, "Count", False
    elif action == "redirect":
        yield "HTTP_Redirect_Count", 1, "Count", False
    if common.response_flags.upstream_connection_failure:
        yield "TargetConnectionErrorCount", 1, "Count", True
