"""Metrics of load balancers for CloudWatch (user guides, "CloudWatch metrics for your … Load Balancer")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from cloudlet.core.telemetry.metrics import Dimensions, Metrics
from cloudlet.core.telemetry.reporting import send
from cloudlet.services.elbv2.proxy import access_log
from cloudlet.services.elbv2.proxy.view import Listener, LoadBalancer, TargetGroup, View

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_LAMBDA: Final = "lambda"
_NAMED_STATUSES: Final = (500, 502, 503, 504)


class Meters:
    """What was measured of the load balancers of all VPCs, until it is sent."""

    def __init__(self, *, is_wanted: bool) -> None:
        self._application = Metrics("AWS/ApplicationELB", is_wanted=is_wanted)
        self._network = Metrics("AWS/NetworkELB", is_wanted=is_wanted)
        self._is_wanted = is_wanted

    def add_request(self, view: View, load_balancer: LoadBalancer, entry: Any, now: float) -> None:
        """Count a request to an Application Load Balancer."""
        if not self._is_wanted:
            return
        common = entry.common_properties
        group = view.target_groups.get(common.upstream_cluster)
        places = list(_list_places(load_balancer, group))
        for name, value, unit, is_of_group in _measure_request(entry, group):
            for dimensions in places if is_of_group else places[:1]:
                self._application.add(view.account, view.region, name, dimensions, now, value, unit=unit)
        if group is not None and group.description.get("TargetType") != _LAMBDA:
            count = sum(target.draining_until is None for target in group.targets)
            for dimensions in ((_of_group(group),), *places[1:]):
                value = 1 / max(count, 1)
                self._application.add(view.account, view.region, "RequestCountPerTarget", dimensions, now, value)

    def add_connection(
        self, view: View, load_balancer: LoadBalancer, listener: Listener, entry: Any, now: float
    ) -> None:
        """Count a connection to a load balancer that has ended."""
        if not self._is_wanted:
            return
        failure = entry.common_properties.downstream_transport_failure_reason
        dimensions = (_of_load_balancer(load_balancer),)
        if load_balancer.is_application:
            self._application.add(view.account, view.region, "NewConnectionCount", dimensions, now)
            if failure:
                self._application.add(view.account, view.region, "ClientTLSNegotiationErrorCount", dimensions, now)
            return
        protocol = listener.description["Protocol"]
        kind = "TLS" if protocol == "TLS" else "TCP"
        size = entry.connection_properties.received_bytes + entry.connection_properties.sent_bytes
        for name, value, unit in (
            ("NewFlowCount", 1, "Count"),
            (f"NewFlowCount_{kind}", 1, "Count"),
            ("ProcessedBytes", size, "Bytes"),
            (f"ProcessedBytes_{kind}", size, "Bytes"),
        ):
            self._network.add(view.account, view.region, name, dimensions, now, value, unit=unit)
        if failure:
            self._network.add(view.account, view.region, "ClientTLSNegotiationErrorCount", dimensions, now)

    def add_hosts(
        self, view: View, load_balancer: LoadBalancer, group: TargetGroup, healthy: int, unhealthy: int, now: float
    ) -> None:
        """Note how many targets of a group are healthy, and how many are not."""
        metrics = self._application if load_balancer.is_application else self._network
        dimensions = (_of_group(group), _of_load_balancer(load_balancer))
        for name, value in (("HealthyHostCount", healthy), ("UnHealthyHostCount", unhealthy)):
            metrics.add(view.account, view.region, name, dimensions, now, value)

    async def report(self, block: Block) -> None:
        """Send what was measured in minutes that have ended."""
        if self._is_wanted:
            for metrics in (self._application, self._network):
                await send(block, metrics)


def _of_load_balancer(load_balancer: LoadBalancer) -> tuple[str, str]:
    return "LoadBalancer", access_log.get_resource_id(load_balancer.arn)


def _of_group(group: TargetGroup) -> tuple[str, str]:
    return "TargetGroup", access_log.get_resource_id(group.arn)


def _list_places(load_balancer: LoadBalancer, group: TargetGroup | None) -> Iterator[Dimensions]:
    yield (_of_load_balancer(load_balancer),)
    if group is not None:
        yield _of_group(group), _of_load_balancer(load_balancer)


def _measure_request(entry: Any, group: TargetGroup | None) -> Iterator[tuple[str, float, str, bool]]:
    """Yield what a request measures: name, value, unit, and whether it is of the target group, too."""
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


def count_hosts(states: Iterator[str]) -> tuple[int, int]:
    """Return how many of some states are healthy, and how many unhealthy."""
    found = list(states)
    return found.count("healthy"), found.count("unhealthy")
