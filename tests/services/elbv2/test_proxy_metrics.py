"""Metrics made of what a real Envoy has counted."""

from __future__ import annotations

import socket
import ssl
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudlet.engines.envoy.statistics import Statistics
from cloudlet.services.elbv2.proxy.measuring import PATTERN, Meters
from cloudlet.services.elbv2.proxy.readings import Readings
from cloudlet.services.elbv2.proxy.view import Certificate, View
from tests.certificates import make_pair
from tests.services.elbv2.envoys import (
    Envoy,
    Web,
    answer,
    ask,
    find_port,
    forward,
    make_group,
    make_listener,
    make_rule,
    make_view,
    open_envoy,
    redirect,
    wait_for,
)

_BALANCER = "app/test/0123456789abcdef"
_Measured = dict[tuple[str, ...], dict[str, float]]
"""Sums of metrics by the values of their dimensions."""


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    with open_envoy(tmp_path_factory.mktemp("envoy")) as made:
        yield made


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    made = Web("web")
    yield made
    made.close()


def _make_readings(envoy: Envoy) -> Readings:
    return Readings(envoy.folder, envoy.folder / "admin")


def _measure(view: View, counted: Statistics) -> _Measured:
    meters = Meters(is_wanted=True)
    meters.add(view, counted)
    return _collect(meters)


def _collect(meters: Meters) -> _Measured:
    found: _Measured = {}
    for metrics in meters.list_metrics():
        metrics.read_meters(0.0)
        for series, values in metrics.take_complete(1e9).items():
            place = tuple(value for _, value in series.dimensions)
            found.setdefault(place, {})[series.name] = values.sum
    return found


def _read_until(envoy: Envoy, readings: Readings, view: View, name: str, value: float) -> _Measured:
    """Return what was measured since the last reading, once a metric of the load balancer has a value."""
    counted = Statistics()
    place = (view.load_balancers[0].arn.partition("loadbalancer/")[2],)

    def look() -> _Measured | None:
        nonlocal counted
        counted += envoy.run(readings.take(PATTERN))
        found = _measure(view, counted)
        return found if found.get(place, {}).get(name) == value else None

    found = wait_for(look)
    assert found is not None
    return found


def _condition(path: str) -> list[dict[str, object]]:
    return [{"Field": "path-pattern", "Values": [path]}]


def test_requests_are_counted_by_who_has_answered(envoy: Envoy, web: Web) -> None:
    good, closed = make_group("good", web), make_group("closed", ("127.0.0.1", find_port()))
    empty = make_group("empty")
    rules = [
        make_rule(1, _condition("/good*"), forward(good)),
        make_rule(2, _condition("/closed"), forward(closed)),
        make_rule(3, _condition("/empty"), forward(empty)),
        make_rule(4, _condition("/fixed"), answer(204)),
        make_rule(5, _condition("/moved"), redirect(Port="1")),
    ]
    listener = make_listener(answer(404), rules=rules)
    view = make_view(listener, groups=(good, closed, empty))
    envoy.apply(view)
    port = listener.description["Port"]
    readings = _make_readings(envoy)
    envoy.run(readings.take(PATTERN))
    web.delay = 0.05
    for status in (200, 200, 302, 404, 502):
        web.status = status
        assert ask(port, "/good").status == status
    web.delay, web.status = 0.0, 200
    for path, status in {"/closed": 502, "/empty": 503, "/fixed": 204, "/moved": 301, "/other": 404}.items():
        assert ask(port, path).status == status
    _send(port, b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
    _leave(port, web)
    # The one of the client that has left comes last.
    found = _read_until(envoy, readings, view, "HTTPCode_ELB_4XX_Count", 3)
    good_place, closed_place = f"targetgroup/good/{_ID}", f"targetgroup/closed/{_ID}"
    own = found[(_BALANCER,)]
    assert own.pop("ProcessedBytes") > 1000
    assert 0.2 < own.pop("TargetResponseTime") < 2
    # Twelve of clients, and some to targets.
    assert own.pop("NewConnectionCount") >= 12 + 2
    own.pop("ActiveConnectionCount", None)
    assert own == {
        "RequestCount": 7,
        "HTTPCode_Target_2XX_Count": 2,
        "HTTPCode_Target_3XX_Count": 1,
        "HTTPCode_Target_4XX_Count": 1,
        "HTTPCode_Target_5XX_Count": 1,
        "HTTPCode_ELB_3XX_Count": 1,
        "HTTPCode_ELB_4XX_Count": 3,
        "HTTPCode_ELB_5XX_Count": 2,
        "HTTPCode_ELB_502_Count": 1,
        "HTTPCode_ELB_503_Count": 1,
        "HTTP_Fixed_Response_Count": 2,
        "HTTP_Redirect_Count": 1,
        "TargetConnectionErrorCount": 1,
        # Six to the first group, then one to each of the others, and five for none.
        "RuleEvaluations": 6 + 2 + 3 + 4 + 5 + 5,
    }
    shared = found[good_place, _BALANCER]
    assert 0.2 < shared.pop("TargetResponseTime") < 2
    assert shared == {
        "RequestCount": 6,
        "RequestCountPerTarget": 6,
        **{f"HTTPCode_Target_{kind}XX_Count": 2 if kind == 2 else 1 for kind in (2, 3, 4, 5)},
    }
    assert found[(good_place,)] == {"RequestCountPerTarget": 6}
    assert found[closed_place, _BALANCER] == {
        "RequestCount": 1,
        "RequestCountPerTarget": 1,
        "TargetConnectionErrorCount": 1,
    }


_ID = "0123456789abcdef"


def test_a_target_may_answer_before_the_end_of_a_request(envoy: Envoy) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    group = make_group("early", ("127.0.0.1", server.getsockname()[1]))
    listener = make_listener(forward(group))
    view = make_view(listener, groups=(group,))
    envoy.apply(view)
    readings = _make_readings(envoy)
    envoy.run(readings.take(PATTERN))
    with server, socket.create_connection(("127.0.0.1", listener.description["Port"])) as end:
        end.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        with server.accept()[0] as target:
            assert target.recv(4096)
            target.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            assert end.recv(4096).startswith(b"HTTP/1.1 413")
    found = _read_until(envoy, readings, view, "HTTPCode_Target_4XX_Count", 1)
    assert found[(_BALANCER,)]["TargetResponseTime"] > 0
    assert "non-number" not in (envoy.folder / "log").read_text()


def _send(port: int, content: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as end:
        end.sendall(content)
        assert end.recv(4096).startswith(b"HTTP/1.1 400")


def _leave(port: int, web: Web) -> None:
    """Leave before the response."""
    web.delay = 0.5
    before = len(web.asked)
    with socket.create_connection(("127.0.0.1", port)) as end:
        end.sendall(b"GET /good HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: len(web.asked) > before)
    web.delay = 0.0


def test_readings_go_on_where_a_former_block_has_ended(envoy: Envoy, web: Web) -> None:
    group = make_group("again", web)
    listener = make_listener(forward(group))
    view = make_view(listener, groups=(group,))
    envoy.apply(view)
    port = listener.description["Port"]
    envoy.run(_make_readings(envoy).take(PATTERN))
    ask(port)
    assert _measure(view, envoy.run(_make_readings(envoy).take(PATTERN)))[(_BALANCER,)]["RequestCount"] == 1
    ask(port)
    ask(port)
    readings = _make_readings(envoy)
    found = _measure(view, envoy.run(readings.take(PATTERN)))[(_BALANCER,)]
    assert (found["RequestCount"], found["HTTPCode_Target_2XX_Count"]) == (2, 2)
    # A new Envoy counts from nothing on.
    readings.forget()
    assert _measure(view, envoy.run(readings.take(PATTERN)))[(_BALANCER,)]["RequestCount"] == 3


def test_what_has_begun_anew_counts_whole() -> None:
    before, now = Statistics(), Statistics()
    before.values.update(a=5, b=1, cx_active=2)
    before.histograms["h"] = Counter({0.5: 1, 1.5: 4})
    now.values.update(a=2, b=3, cx_active=2)
    now.histograms["h"] = Counter({0.5: 1, 1.5: 1, 2.5: 1})
    assert (now - before).values == {"a": 2, "b": 2, "cx_active": 2}
    assert (now - before).histograms == {"h": {1.5: 1, 2.5: 1}}


def test_times_are_kept_apart_as_finely_as_cloudwatch_takes_them(web: Web) -> None:
    group = make_group("fine", web)
    listener = make_listener(forward(group))
    view = make_view(listener, groups=(group,))
    counted = Statistics()
    name = f"elb.{listener.arn.rpartition('/')[2]}.time.group.{group.arn}.status.200"
    counted.histograms[name] = Counter({float(each): 1 for each in range(1, 1001)})
    meters = Meters(is_wanted=True)
    meters.add(view, counted)
    metrics = meters.list_metrics()[0]
    metrics.read_meters(0.0)
    series = {each.name: values for each, values in metrics.take_complete(1e9).items() if len(each.dimensions) == 1}
    values = series["TargetResponseTime"]
    assert values.count == 1000
    assert values.counts is not None
    assert len(values.counts) <= 150
    assert values.sum == pytest.approx(sum(range(1, 1001)) / 1e6)


def test_connections_to_a_network_load_balancer(envoy: Envoy, web: Web) -> None:
    pair = make_pair("*.example.com")
    certificate = Certificate("arn:aws:acm:us-east-1:1:certificate/1", pair.body.decode(), pair.private.decode())
    group = make_group("net", web, Protocol="TCP")
    plain = make_listener(forward(group), protocol="TCP", kind="net")
    secure = make_listener(
        forward(group),
        protocol="TLS",
        kind="net",
        certificates=(certificate.arn,),
        SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
    )
    view = make_view(plain, secure, groups=(group,), certificates=(certificate,), kind="network")
    envoy.apply(view)
    readings = _make_readings(envoy)
    envoy.run(readings.take(PATTERN))
    ask(plain.description["Port"])
    with socket.create_connection(("127.0.0.1", plain.description["Port"])) as end:
        end.sendall(b"GET")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with (
        socket.create_connection(("127.0.0.1", secure.description["Port"])) as end,
        pytest.raises(ssl.SSLError),
    ):
        ssl.create_default_context().wrap_socket(end, server_hostname="www.example.com")
    with socket.create_connection(("127.0.0.1", plain.description["Port"])) as end:
        end.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert end.recv(4096)
        found = _read_until(envoy, readings, view, "ClientTLSNegotiationErrorCount", 1)
    own = found[("net/test/0123456789abcdef",)]
    assert own["ProcessedBytes"] >= own["ProcessedBytes_TCP"] > 200
    assert own["ActiveFlowCount"] >= own["ActiveFlowCount_TCP"] >= 1
    assert {name: value for name, value in own.items() if not name.startswith(("ProcessedBytes", "ActiveFlow"))} == {
        "NewFlowCount": 4,
        "NewFlowCount_TCP": 3,
        "NewFlowCount_TLS": 1,
        "TCP_Client_Reset_Count": 1,
        "ClientTLSNegotiationErrorCount": 1,
    }


def test_the_file_of_readings_may_be_missing(tmp_path: Path) -> None:
    Readings(tmp_path, tmp_path / "admin").forget()


def test_targets_are_counted_by_their_zones(web: Web) -> None:
    group = make_group("web", web)
    view = make_view(make_listener(forward(group)), groups=(group,))
    meters = Meters(is_wanted=True)
    states = [("us-east-1a", "healthy"), ("us-east-1a", "unhealthy"), ("us-east-1b", "unhealthy"), ("all", "healthy")]
    meters.add_hosts(view, view.load_balancers[0], group, states, 0.0)
    found = _collect(meters)
    name = "targetgroup/web/0123456789abcdef"
    assert found[name, _BALANCER] == {"HealthyHostCount": 2, "UnHealthyHostCount": 2}
    assert found[name, "us-east-1a", _BALANCER] == {"HealthyHostCount": 1, "UnHealthyHostCount": 1}
    assert found[name, "us-east-1b", _BALANCER] == {"HealthyHostCount": 0, "UnHealthyHostCount": 1}
