"""Metrics of load balancers for CloudWatch (user guides, "CloudWatch metrics for your … Load Balancer").

They are made of what Envoys have counted (`counting`), read once a minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from cloudlet.core.telemetry.metrics import MAX_DISTINCT_VALUES, Meter, Metrics, clamp_to_ended_minute
from cloudlet.core.telemetry.reporting import send
from cloudlet.engines.envoy.statistics import Statistics
from cloudlet.services.elbv2.proxy import access_log, counting
from cloudlet.services.elbv2.proxy.forwarding import list_listener_groups
from cloudlet.services.elbv2.proxy.view import Listener, LoadBalancer, TargetGroup, View

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_LAMBDA: Final = "lambda"
_ALL_ZONES: Final = "all"
_NAMED_STATUSES: Final = (500, 502, 503, 504)
_MICROSECONDS: Final = 1e6
_ID: Final = r"[^.]*"
_BYTES: Final = ("rx_bytes_total", "tx_bytes_total")
PATTERN: Final = "|".join(
    (
        rf"^{counting.PREFIX}\.",
        rf"^listener\.{_ID}\.(downstream_cx_(total|active|overflow|overload_reject)|ssl\.(connection_error|fail_verify.*))$",
        rf"^(http|tcp)\.{_ID}\.downstream_cx_(total|rx_bytes_total|tx_bytes_total)$",
        rf"^udp\.{_ID}\.downstream_sess_(total|active|rx_bytes|tx_bytes)$",
        rf"^cluster\.arn{_ID}\.(upstream_rq_(total|pending_failure_eject)"
        r"|upstream_cx_(total|active|connect_fail|rx_bytes_total|tx_bytes_total)|lb_healthy_panic|ssl\.(connection_error|fail_verify.*))$",
    )
)
"""The names of the statistics that metrics are made of."""
_NEVER_SENT: Final = frozenset(("UF", "UH", "NC", "NR", "UO", "LH", "UAEX", "RL", "OM"))
"""Envoy's reasons for which it answers without a target."""
_BROKEN_OFF: Final = frozenset(("UC", "UR", "UPE", "LR", "UT", "SI", "DT", "IH", "DPE"))
"""Reasons for which it answers where a target has not begun to."""
_OWN_STATUSES: Final = frozenset((400, 408, 413, 500, 502, 503, 504))
_CLIENT_LEFT: Final = 0


class Meters:
    """Measurements of the load balancers of all VPCs, until they are sent."""

    def __init__(self, *, is_wanted: bool) -> None:
        self._application = Metrics("AWS/ApplicationELB", is_wanted=is_wanted)
        self._network = Metrics("AWS/NetworkELB", is_wanted=is_wanted)
        self.is_wanted = is_wanted

    def add(self, view: View, counted: Statistics) -> None:
        """Add what the Envoys of a VPC have counted since they were read before."""
        for load_balancer in view.load_balancers:
            if load_balancer.is_application:
                _Application(self._application, view, load_balancer, counted).add()
            else:
                _Network(self._network, view, load_balancer, counted).add()

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
        if self.is_wanted and meter is not None:
            meter.counts[name] += 1

    def add_hosts(
        self, view: View, load_balancer: LoadBalancer, group: TargetGroup, states: Sequence[tuple[str, str]], now: float
    ) -> None:
        """Note how many targets of a group are healthy, and how many are not."""
        metrics = self._application if load_balancer.is_application else self._network
        names = (_make_group_name(group), _make_balancer_name(load_balancer))
        zones = {zone for zone, _ in states if zone not in ("", _ALL_ZONES)}
        for name, wanted in (("HealthyHostCount", "healthy"), ("UnHealthyHostCount", "unhealthy")):
            counts = Counter(zone for zone, state in states if state == wanted)
            metrics.add(view.account, view.region, name, names, now, counts.total())
            for zone in zones:
                dimensions = (names[0], ("AvailabilityZone", zone), names[1])
                metrics.add(view.account, view.region, name, dimensions, now, counts[zone])

    def list_metrics(self) -> list[Metrics]:
        """Return what is measured, by namespaces."""
        return [self._application, self._network]

    async def report(self, block: Block) -> None:
        """Send what was measured in minutes that have ended."""
        if self.is_wanted:
            for metrics in self.list_metrics():
                metrics.read_meters(clamp_to_ended_minute(block.clock.now()))
                await send(block, metrics)


class _Answers(NamedTuple):
    """Responses that Envoy has counted one by one."""

    number: int
    status: int
    group: str
    """The ARN of a target group; empty where none was chosen."""
    flags: frozenset[str]
    actions: str
    rules: int

    @property
    def is_own(self) -> bool:
        """Whether the load balancer has answered, and not a target."""
        if self.status == _CLIENT_LEFT or self.group == _NONE or self.flags & _NEVER_SENT:
            return True
        return self.status in _OWN_STATUSES and bool(self.flags & _BROKEN_OFF)


_NONE: Final = ""


class _Times(NamedTuple):
    """Responses of targets of a group with one status."""

    microseconds: Counter[float]
    status: int
    group: str
    rules: int


def _parse_tags(name: str) -> dict[str, str]:
    """Return the tags of a statistic of ours, which are the end of its name."""
    parts = name.split(".")[3:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _parse_number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


class _Source:
    """One load balancer, its meters, and what was counted of it."""

    def __init__(self, metrics: Metrics, view: View, load_balancer: LoadBalancer, counted: Statistics) -> None:
        self._metrics, self._view, self._counted = metrics, view, counted
        self.load_balancer = load_balancer
        arns = {arn: None for listener in load_balancer.listeners for arn in list_listener_groups(listener)}
        self.groups = [group for arn in arns if (group := view.target_groups.get(arn)) is not None]
        self.name = _make_balancer_name(load_balancer)

    def get_meter(self, *dimensions: tuple[str, str]) -> Meter:
        """Return a meter; what it has measured is dropped where there are too many."""
        return self._metrics.meter(self._view.account, self._view.region, dimensions) or Meter()

    def sum_counters(self, begin: str, ends: Iterable[str]) -> int:
        """Return the sum of counters."""
        return sum(self._counted.values[begin + each] for each in ends)

    def sum_listener(self, listener: Listener, *ends: str) -> int:
        return self.sum_counters(f"listener.{counting.get_id(listener)}.", ends)

    def sum_group(self, group: TargetGroup, *ends: str) -> int:
        return self.sum_counters(f"cluster.{group.arn.replace(':', '_')}.", ends)

    def count_unhealthy(self, group: TargetGroup) -> int:
        """Return how often targets were chosen though nearly all are unhealthy."""
        return self.sum_group(group, "lb_healthy_panic") if group.targets else 0

    def list_answers(self, listener: Listener) -> Iterator[_Answers]:
        """Return the responses to requests that were counted one by one."""
        begin = f"{counting.PREFIX}.{counting.get_id(listener)}.{counting.ANSWERS}."
        for name, count in self._counted.values.items():
            if count and name.startswith(begin):
                tags = _parse_tags(name)
                flags = frozenset(tags[counting.FLAGS].split(","))
                status, rules = _parse_number(tags[counting.STATUS]), _parse_number(tags[counting.RULES])
                yield _Answers(count, status, tags[counting.GROUP], flags, tags[counting.ACTIONS], rules)

    def list_times(self, listener: Listener) -> Iterator[_Times]:
        """Return after which times targets have answered."""
        begin = f"{counting.PREFIX}.{counting.get_id(listener)}.{counting.TIME}."
        for name, times in self._counted.histograms.items():
            if name.startswith(begin) and times.total():
                tags = _parse_tags(name)
                status, rules = _parse_number(tags[counting.STATUS]), _parse_number(tags.get(counting.RULES, ""))
                yield _Times(times, status, tags[counting.GROUP], rules)

    def get(self, name: str) -> int:
        return self._counted.values[name]


_TLS_ERRORS: Final = tuple(
    f"ssl.{each}"
    for each in ("connection_error", *(f"fail_verify_{kind}" for kind in ("no_cert", "error", "san", "cert_hash")))
)


class _Application(_Source):
    """An Application Load Balancer."""

    def add(self) -> None:
        """Add its metrics to meters."""
        own = self.get_meter(self.name)
        active = 0
        for listener in self.load_balancer.listeners:
            begin = f"http.{counting.get_id(listener)}.downstream_cx_"
            _count(own, "NewConnectionCount", self.sum_listener(listener, "downstream_cx_total"))
            active += self.sum_listener(listener, "downstream_cx_active")
            rejected = self.sum_listener(listener, "downstream_cx_overflow", "downstream_cx_overload_reject")
            _count(own, "RejectedConnectionCount", rejected)
            _count(own, "ClientTLSNegotiationErrorCount", self.sum_listener(listener, *_TLS_ERRORS))
            _add(own, "ProcessedBytes", self.sum_counters(begin, _BYTES), "Bytes")
        for group in self.groups:
            _count(own, "NewConnectionCount", self.sum_group(group, "upstream_cx_total"))
            active += self.sum_group(group, "upstream_cx_active")
            self._add_group(group, own)
        _add(own, "ActiveConnectionCount", active)
        _add(own, "RuleEvaluations", self._add_answers(own) + self._add_times(own))

    def _add_answers(self, own: Meter) -> int:
        """Count the load balancer's own responses; return how many rules were looked at."""
        answers = [each for listener in self.load_balancer.listeners for each in self.list_answers(listener)]
        for each in answers:
            if each.is_own:
                _count_own(own, each)
        return sum(each.number * each.rules for each in answers if each.is_own)

    def _add_times(self, own: Meter) -> int:
        """Count the responses of targets; return how many rules were looked at."""
        evaluated = 0
        groups = {group.arn: self.get_meter(_make_group_name(group), self.name) for group in self.groups}
        times: dict[str, Counter[float]] = {arn: Counter() for arn in groups}
        for each in (each for listener in self.load_balancer.listeners for each in self.list_times(listener)):
            count = each.microseconds.total()
            evaluated += count * each.rules
            for meter in (own, groups.get(each.group)):
                if meter is not None and each.status >= _FIRST_FINAL_STATUS:
                    _count(meter, f"HTTPCode_Target_{each.status // 100}XX_Count", count)
            times.setdefault(each.group, Counter()).update(each.microseconds)
        for arn, meter in groups.items():
            _add_times(meter, times[arn])
        _add_times(own, sum(times.values(), Counter()))
        return evaluated

    def _add_group(self, group: TargetGroup, own: Meter) -> None:
        """Add the metrics of a target group."""
        shared = self.get_meter(_make_group_name(group), self.name)
        requests = self.sum_group(group, "upstream_rq_total", "upstream_rq_pending_failure_eject")
        for meter in (own, shared):
            _count(meter, "RequestCount", requests)
            _count(meter, "TargetConnectionErrorCount", self.sum_group(group, "upstream_cx_connect_fail"))
            _count(meter, "TargetTLSNegotiationErrorCount", self.sum_group(group, *_TLS_ERRORS))
            _count(meter, "UnhealthyRoutingRequestCount", self.count_unhealthy(group))
            if group.description.get("ProtocolVersion") == "GRPC":
                _count(meter, "GrpcRequestCount", requests)
        if group.description.get("TargetType") == _LAMBDA:
            size = self.sum_group(group, *(f"upstream_cx_{each}" for each in _BYTES))
            _add(own, "LambdaTargetProcessedBytes", size, "Bytes")
        if group.description.get("TargetType") != _LAMBDA:
            targets = sum(target.draining_until is None for target in group.targets)
            for meter in (shared, self.get_meter(_make_group_name(group))):
                _add(meter, "RequestCountPerTarget", requests / max(targets, 1))


_FIRST_FINAL_STATUS: Final = 200


class _Network(_Source):
    """A Network Load Balancer."""

    def add(self) -> None:
        """Add its metrics to meters."""
        own = self.get_meter(self.name)
        active: Counter[str] = Counter()
        for listener in self.load_balancer.listeners:
            key = counting.get_id(listener)
            kind = "TLS" if listener.description["Protocol"] == "TLS" else "TCP"
            active[kind] += self.sum_listener(listener, "downstream_cx_active")
            new = self.get(f"tcp.{key}.downstream_cx_total")
            self._add(own, kind, new, self.sum_counters(f"tcp.{key}.downstream_cx_", _BYTES))
            begin = f"udp.{key}.downstream_sess_"
            active["UDP"] += self.get(f"{begin}active")
            self._add(own, "UDP", self.get(f"{begin}total"), self.sum_counters(begin, ("rx_bytes", "tx_bytes")))
            _count(own, "ClientTLSNegotiationErrorCount", self.sum_listener(listener, *_TLS_ERRORS))
            self._add_resets(own, listener)
        for group in self.groups:
            _count(own, "TargetTLSNegotiationErrorCount", self.sum_group(group, *_TLS_ERRORS))
            _count(own, "UnHealthyRoutingFlowCount", self.count_unhealthy(group))
        for kind, number in active.items():
            _add(own, f"ActiveFlowCount_{kind}", number)
        _add(own, "ActiveFlowCount", active.total())

    def _add_resets(self, own: Meter, listener: Listener) -> None:
        """Count connections that were reset, by the side that did."""
        begin = f"{counting.PREFIX}.{counting.get_id(listener)}.{counting.CLOSES}."
        for name, count in self._counted.values.items():
            if name.startswith(begin):
                tags = _parse_tags(name)
                sides = {tags[counting.BY_CLIENT], tags[counting.BY_TARGET]}
                if tags[counting.BY_CLIENT] == counting.REMOTE_RESET:
                    _count(own, "TCP_Client_Reset_Count", count)
                elif tags[counting.BY_TARGET] == counting.REMOTE_RESET:
                    _count(own, "TCP_Target_Reset_Count", count)
                elif counting.LOCAL_RESET in sides:
                    _count(own, "TCP_ELB_Reset_Count", count)

    def _add(self, own: Meter, kind: str, new: int, size: int) -> None:
        for end in ("", f"_{kind}"):
            _count(own, f"NewFlowCount{end}", new)
            _add(own, f"ProcessedBytes{end}", size, "Bytes")


def _make_balancer_name(load_balancer: LoadBalancer) -> tuple[str, str]:
    return "LoadBalancer", access_log.get_resource_id(load_balancer.arn)


def _make_group_name(group: TargetGroup) -> tuple[str, str]:
    return "TargetGroup", access_log.get_resource_id(group.arn)


def _count(meter: Meter, name: str, number: int) -> None:
    if number:
        meter.counts[name] += number


def _add(meter: Meter, name: str, value: float, unit: str = "Count") -> None:
    if value:
        meter.add(name, unit, value)


def _count_own(own: Meter, answers: _Answers) -> None:
    """Count responses of the load balancer's own."""
    status = answers.status or access_log.CLIENT_CLOSED
    kind = status // 100
    if kind in (3, 4, 5):
        _count(own, f"HTTPCode_ELB_{kind}XX_Count", answers.number)
    if status in _NAMED_STATUSES:
        _count(own, f"HTTPCode_ELB_{status}_Count", answers.number)
    action = answers.actions.rpartition(",")[2]
    if answers.group == _NONE and action == "fixed-response":
        _count(own, "HTTP_Fixed_Response_Count", answers.number)
    elif answers.group == _NONE and action == "redirect":
        _count(own, "HTTP_Redirect_Count", answers.number)


def _add_times(meter: Meter, times: Mapping[float, int]) -> None:
    """Add times of targets, as finely as CloudWatch takes them."""
    # CloudWatch takes no value that nothing had: Envoy's histograms tell of all that were seen before.
    pairs = sorted((time, number) for time, number in times.items() if number)
    while len(pairs) > MAX_DISTINCT_VALUES:
        pairs = [_merge(pairs[place : place + 2]) for place in range(0, len(pairs), 2)]
    for microseconds, count in pairs:
        meter.add("TargetResponseTime", "Seconds", microseconds / _MICROSECONDS, count)


def _merge(pairs: list[tuple[float, int]]) -> tuple[float, int]:
    """Return the mean of values, and how often there were some."""
    count = sum(number for _, number in pairs)
    return sum(value * number for value, number in pairs) / count, count
