"""Lines of access logs and connection logs, made of what a real Envoy has logged; and the health of targets."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest

from cloudlet.services.elbv2.proxy import access_log, connection_log
from cloudlet.services.elbv2.proxy.access_logging import CONNECTIONS
from cloudlet.services.elbv2.proxy.target_health import FAILED, HEALTHY, HealthEvent, HealthStates, parse_event
from cloudlet.services.elbv2.proxy.view import Listener, TargetHealth, View
from tests.services.elbv2.envoys import (
    LOGGED,
    Envoy,
    Web,
    answer,
    ask,
    connect_securely,
    find_port,
    forward,
    make_certificate,
    make_group,
    make_listener,
    make_rule,
    make_secure_listener,
    make_view,
    redirect,
    wait_for,
)

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_LINE = re.compile(
    r'(?P<type>\S+) (?P<time>\S+) (?P<elb>\S+) (?P<client>\S+) (?P<target>\S+) (?P<times>\S+ \S+ \S+) (?P<status>\d+) '
    r'(?P<target_status>\S+) (?P<received>\d+) (?P<sent>\d+) "(?P<request>[^"]*)" "(?P<agent>[^"]*)" (?P<cipher>\S+) '
    r'(?P<protocol>\S+) (?P<group>\S+) "(?P<trace>[^"]*)" "(?P<domain>[^"]*)" "(?P<certificate>[^"]*)" (?P<rule>\S+) '
    r'(?P<created>\S+) "(?P<actions>[^"]*)" "(?P<redirect>[^"]*)" "(?P<reason>[^"]*)" "(?P<targets>[^"]*)" '
    r'"(?P<target_statuses>[^"]*)" "(?P<class>[^"]*)" "(?P<class_reason>[^"]*)" (?P<connection>TID_\w+|-) '
    r'"(?P<host>[^"]*)" "(?P<url>[^"]*)" "(?P<transforms>[^"]*)"'
)  # fmt: skip


def _find_entry(envoy: Envoy, name: str) -> Any:
    return wait_for(lambda: [entry for known, entry in envoy.logged if known == name])[-1]


def _read(envoy: Envoy, view: View, listener: Listener) -> dict[str, str]:
    entry = _find_entry(envoy, listener.arn)
    line = access_log.format_line(view, view.load_balancers[0], listener, entry)
    found = _LINE.fullmatch(line)
    assert found is not None, line
    return found.groupdict()


def test_the_line_of_a_request(envoy: Envoy, web: Web) -> None:
    web.delay = 0.1
    group = make_group("web", web)
    condition = {"Field": "path-pattern", "Values": ["/a*"]}
    listener = make_listener(answer(418), rules=[make_rule(7, [condition], forward(group))])
    view = make_view(listener, groups=(group,), attributes=LOGGED)
    envoy.apply(view)
    port = listener.description["Port"]
    answered = ask(port, "/a?b=%22", "POST", b"body", User_Agent='my "agent"', Host="x.example.com")
    web.delay = 0.0
    line = _read(envoy, view, listener)
    assert re.fullmatch(_TIME, line["time"])
    assert re.fullmatch(_TIME, line["created"])
    assert line["client"].startswith("127.0.0.1:")
    assert float(line["times"].split()[1]) >= 0.1
    assert int(line["received"]) > 4
    assert int(line["sent"]) > len(answered.body)
    assert line["trace"] == answered.seen["headers"]["x-amzn-trace-id"]
    assert line["connection"].startswith("TID_")
    del line["time"], line["created"], line["client"], line["times"], line["received"], line["sent"], line["trace"]
    del line["connection"]
    assert line == {
        "type": "http",
        "elb": "app/test/0123456789abcdef",
        "target": f"127.0.0.1:{web.port}",
        "status": "200",
        "target_status": "200",
        "request": f"POST http://x.example.com:{port}/a?b=%22 HTTP/1.1",
        "agent": r"my \x22agent\x22",
        "cipher": "-",
        "protocol": "-",
        "group": group.arn,
        "domain": "-",
        "certificate": "-",
        "rule": "7",
        "actions": "forward",
        "redirect": "-",
        "reason": "-",
        "targets": f"127.0.0.1:{web.port}",
        "target_statuses": "200",
        "class": "-",
        "class_reason": "-",
        "host": "-",
        "url": "-",
        "transforms": "-",
    }


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ("GET / HTTP/1.1\nContent-Length: 0\n", ("Acceptable", "GetHeadZeroContentLength")),
        ("GET / HTTP/1.1\nContent-Length: 1\n", ("Ambiguous", "UndefinedContentLengthSemantics")),
        ("POST / HTTP/1.1\nTransfer-Encoding: gzip\n", ("Severe", "BadTransferEncoding")),
        ("POST / HTTP/1.1\nTransfer-Encoding: chunked\nContent-Length: 1\n", ("Ambiguous", "BothTeClPresent")),
    ],
)
def test_the_lines_of_requests_that_are_classified(envoy: Envoy, sent: str, found: tuple[str, str]) -> None:
    listener = make_listener(answer(200))
    view = make_view(listener, attributes={**LOGGED, "routing.http.desync_mitigation_mode": "strictest"})
    envoy.apply(view)
    with socket.create_connection(("127.0.0.1", listener.description["Port"])) as end:
        end.sendall(f"{sent}Host: x\nConnection: close\n\n".replace("\n", "\r\n").encode())
        assert b" 400 " in end.recv(4096)
    line = _read(envoy, view, listener)
    assert (line["class"], line["class_reason"]) == found


def test_the_line_of_a_rewritten_request_has_what_was_sent(envoy: Envoy, web: Web) -> None:
    group = make_group("web", web)
    rewrites = [
        {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/a", "Replace": "/b"}]}},
        {"Type": "host-header-rewrite", "HostHeaderRewriteConfig": {"Rewrites": [{"Regex": "^x", "Replace": "y"}]}},
    ]
    rule = make_rule(7, [{"Field": "path-pattern", "Values": ["/a*"]}], forward(group), Transforms=rewrites)
    listener = make_listener(answer(418), rules=[rule])
    view = make_view(listener, groups=(group,), attributes=LOGGED)
    envoy.apply(view)
    port = listener.description["Port"]
    seen = ask(port, "/a?b=c", Host="x.example.com").seen
    assert (seen["path"], seen["headers"]["host"]) == ("/b?b=c", f"y.example.com:{port}")
    line = _read(envoy, view, listener)
    assert line["request"] == f"GET http://x.example.com:{port}/a?b=c HTTP/1.1"
    assert (line["host"], line["url"], line["transforms"]) == ("y.example.com", "/b?b=c", "TransformSuccess")


def test_the_line_of_an_error(envoy: Envoy) -> None:
    group = make_group("web", ("127.0.0.1", find_port()))
    listener = make_listener(forward(group))
    view = make_view(listener, groups=(group,), attributes=LOGGED)
    envoy.apply(view)
    ask(listener.description["Port"])
    line = _read(envoy, view, listener)
    assert (line["status"], line["target_status"], line["times"], line["rule"]) == ("502", "-", "-1 -1 -1", "0")
    assert line["target"].startswith("127.0.0.1:")


def test_the_line_of_a_redirect(envoy: Envoy) -> None:
    listener = make_listener(redirect(Protocol="HTTPS", Port="443"))
    view = make_view(listener, attributes=LOGGED)
    envoy.apply(view)
    ask(listener.description["Port"], "/a", Host="x.example.com")
    line = _read(envoy, view, listener)
    assert (line["actions"], line["redirect"]) == ("redirect", "https://x.example.com:443/a")
    assert (line["status"], line["target"], line["group"]) == ("301", "-", "-")


def test_the_line_of_a_client_that_leaves(envoy: Envoy, web: Web) -> None:
    web.delay = 0.5
    group = make_group("web", web)
    listener = make_listener(forward(group))
    view = make_view(listener, groups=(group,), attributes=LOGGED)
    envoy.apply(view)
    before = len(web.asked)
    with socket.create_connection(("127.0.0.1", listener.description["Port"])) as end:
        end.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: len(web.asked) > before)
    web.delay = 0.0
    assert _read(envoy, view, listener)["status"] == "460"


def test_the_lines_of_secure_requests_and_connections(envoy: Envoy) -> None:
    certificate = make_certificate("*.example.com")
    listener = make_secure_listener(answer(200), certificates=(certificate,))
    view = make_view(listener, certificates=(certificate,), attributes=LOGGED)
    envoy.apply(view)
    port = listener.description["Port"]
    with connect_securely(port) as end:
        end.sendall(b"GET / HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n")
        cipher = end.cipher()
        while end.recv(4096):
            pass
    assert cipher is not None
    line = _read(envoy, view, listener)
    assert (line["type"], line["cipher"], line["protocol"]) == ("https", cipher[0], "TLSv1.3")
    assert (line["domain"], line["certificate"]) == ("www.example.com", certificate.arn)
    entry = _find_entry(envoy, listener.arn + CONNECTIONS)
    fields = connection_log.format_line(listener, entry).split(" ")
    assert re.fullmatch(_TIME, fields[0])
    assert (fields[1], fields[3:6]) == ("127.0.0.1", [str(port), "TLSv1.3", cipher[0]])
    assert 0 < float(fields[6]) < 5
    assert fields[7:11] == ['"-"', "-", "-", "Success"]


def test_the_line_of_a_network_load_balancer(envoy: Envoy, web: Web) -> None:
    certificate = make_certificate("*.example.com")
    group = make_group("web", web, Protocol="TCP")
    listener = make_secure_listener(forward(group), protocol="TLS", kind="net", certificates=(certificate,))
    view = make_view(listener, groups=(group,), certificates=(certificate,), kind="network", attributes=LOGGED)
    envoy.apply(view)
    port = listener.description["Port"]
    with connect_securely(port) as end:
        end.sendall(b"GET / HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n")
        while end.recv(4096):
            pass
    entry = _find_entry(envoy, listener.arn + CONNECTIONS)
    fields = connection_log.format_network_line(view, view.load_balancers[0], listener, entry).split(" ")
    assert fields[:2] == ["tls", "2.0"]
    assert fields[3:5] == ["net/test/0123456789abcdef", f"{port:016x}"]
    assert fields[6] == f"127.0.0.1:{port}"
    assert int(fields[9]) > 0
    assert int(fields[10]) > 0
    assert fields[12] == certificate.arn
    assert fields[15] == "tlsv13"
    assert fields[17] == "www.example.com"


def test_a_new_target_is_unhealthy_after_several_checks() -> None:
    states = HealthStates()

    def fail(time: float) -> str:
        states.take(HealthEvent("web", "10.0.0.1", 80, FAILED, is_failure=True, time=time), patience_seconds=30)
        return states.get("web", "10.0.0.1", 80).state

    assert [fail(100.0), fail(101.0), fail(129.0), fail(130.0)] == ["initial", "initial", "initial", "unhealthy"]
    states.take(HealthEvent("web", "10.0.0.1", 80, HEALTHY, is_failure=False, time=131.0))
    # One that was healthy is unhealthy once Envoy says so.
    assert fail(200.0) == "healthy"
    states.take(HealthEvent("web", "10.0.0.1", 80, None, is_failure=False, time=201.0))
    assert states.get("web", "10.0.0.1", 80) == FAILED


def test_the_health_of_targets(envoy: Envoy) -> None:
    good, bad, closed = Web("good"), Web("bad", status=500), ("127.0.0.1", find_port())
    group = make_group("web", good, bad, closed, HealthCheckEnabled=True)
    listener = make_listener(forward(group))
    envoy.apply(make_view(listener, groups=(group,)))
    states = HealthStates()
    port_of = {"good": good.port, "bad": bad.port, "closed": closed[1]}

    def look() -> dict[str, TargetHealth]:
        for line in (envoy.folder / "health").read_text().splitlines():
            event = parse_event(line)
            if event is not None:
                states.take(event)
        return {name: states.get(group.arn, "127.0.0.1", port) for name, port in port_of.items()}

    wait_for(lambda: all(each.state != "initial" for each in look().values()))
    found = look()
    assert found["good"].state == "healthy"
    text = "Health checks failed with these codes: [500]"
    assert found["bad"] == TargetHealth("unhealthy", "Target.ResponseCodeMismatch", text)
    assert found["closed"] == TargetHealth("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
    bad.status = 200
    wait_for(lambda: look()["bad"].state == "healthy")
    good.status = 404
    wait_for(lambda: look()["good"].reason == "Target.ResponseCodeMismatch")
    good.close()
    bad.close()
