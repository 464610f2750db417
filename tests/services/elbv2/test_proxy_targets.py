"""How requests are spread over targets, and what happens where targets fail, by a real Envoy."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import hatch_build
import pytest

from cloudlet.engines.keeper.client import KeeperClient
from cloudlet.services.elbv2.proxy import grpc_checks
from cloudlet.services.elbv2.proxy.block_server import BlockServer, Request, Response
from cloudlet.services.elbv2.proxy.target_health import HealthStates, parse_event
from cloudlet.services.elbv2.proxy.view import TargetGroup
from tests.services.elbv2.envoys import (
    Envoy,
    Web,
    ask,
    find_end,
    find_port,
    forward,
    make_certificate,
    make_group,
    make_listener,
    make_secure_listener,
    make_view,
    open_envoy,
    wait_for,
)

_STICKY = {
    "stickiness.enabled": "true",
    "stickiness.type": "lb_cookie",
    "stickiness.lb_cookie.duration_seconds": "60",
}


def _serve(envoy: Envoy, *targets: object, balancer: dict[str, str] | None = None, **group: object) -> int:
    """Forward to a group with targets; return the listener's port."""
    made = make_group("web", *targets, **group)  # type: ignore[arg-type]
    listener = make_listener(forward(made))
    envoy.apply(make_view(listener, groups=(made,), attributes=balancer))
    port: int = listener.description["Port"]
    return port


def _answer_by(reply: bytes, received: list[bytes] | None = None) -> int:
    """Return the port of a target that reads a request, and sends what it is told to."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            with server.accept()[0] as end:
                request = end.recv(65536)
                if received is not None:
                    received.append(request)
                end.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize("algorithm", ["round_robin", "least_outstanding_requests", "weighted_random"])
def test_requests_are_spread(envoy: Envoy, webs: list[Web], algorithm: str) -> None:
    port = _serve(envoy, *webs, attributes={"load_balancing.algorithm.type": algorithm})
    names = [ask(port).seen["target"] for _ in range(60)]
    assert set(names) == {"a", "b", "c"}
    if algorithm == "round_robin":
        assert {names.count(name) for name in "abc"} == {20}


def test_requests_go_to_the_least_busy_target(envoy: Envoy, webs: list[Web]) -> None:
    webs[0].delay = 1.0
    attributes = {"load_balancing.algorithm.type": "least_outstanding_requests"}
    port = _serve(envoy, *webs[:2], attributes=attributes)
    threads: list[threading.Thread] = []
    while not webs[0].asked:
        threads.append(threading.Thread(target=ask, args=(port,)))
        threads[-1].start()
        time.sleep(0.05)
    assert [ask(port).seen["target"] for _ in range(10)] == ["b"] * 10
    for each in threads:
        each.join()


def test_a_session_stays_with_a_target(envoy: Envoy, webs: list[Web]) -> None:
    port = _serve(envoy, *webs, attributes=_STICKY)
    first = ask(port)
    cookies = first.list("set-cookie")
    assert [each.partition("=")[0] for each in cookies] == ["AWSALB", "AWSALBCORS"]
    assert "; SameSite=None; Secure" in cookies[1]
    assert all(find_end(each) == pytest.approx(time.time() + 60, abs=10) for each in cookies)
    for cookie in cookies:
        sent = cookie.partition(";")[0]
        assert {ask(port, Cookie=sent).seen["target"] for _ in range(9)} == {first.seen["target"]}
    # Each response renews them.
    pairs = [each.partition(";")[0] for each in cookies]
    renewed = ask(port, Cookie=f"a=b; {'; '.join(pairs)}").list("set-cookie")
    assert [each.partition(";")[0] for each in renewed] == pairs
    assert all(find_end(each) == pytest.approx(time.time() + 60, abs=10) for each in renewed)
    assert ask(port, Cookie="AWSALB=garbage").status == 200


def test_a_session_of_a_target_that_is_gone_gets_another_one(envoy: Envoy, webs: list[Web]) -> None:
    port = _serve(envoy, webs[0], attributes=_STICKY)
    cookie = ask(port).list("set-cookie")[0].partition(";")[0]
    port = _serve(envoy, webs[1], attributes=_STICKY)
    answered = ask(port, Cookie=cookie)
    assert answered.seen["target"] == "b"
    assert answered.list("set-cookie")[0].startswith("AWSALB=")


def test_a_session_begins_with_the_cookie_of_the_application(envoy: Envoy, webs: list[Web]) -> None:
    attributes = {
        "stickiness.enabled": "true",
        "stickiness.type": "app_cookie",
        "stickiness.app_cookie.cookie_name": "SESSION",
        "stickiness.app_cookie.duration_seconds": "60",
    }
    port = _serve(envoy, *webs, attributes=attributes)
    assert ask(port).list("set-cookie") == []
    for each in webs:
        each.headers = {"set-cookie": "SESSION=1; Path=/"}
    first = ask(port)
    assert sorted(each.partition("=")[0] for each in first.list("set-cookie")) == ["AWSALBAPP-0", "SESSION"]
    cookie = next(each for each in first.list("set-cookie") if each.startswith("AWSALBAPP")).partition(";")[0]
    assert {ask(port, Cookie=f"SESSION=1; {cookie}").seen["target"] for _ in range(9)} == {first.seen["target"]}
    renewed = ask(port, Cookie=f"SESSION=1; {cookie}").list("set-cookie")
    assert [each.partition(";")[0] for each in renewed] == ["SESSION=1", cookie]
    for each in webs:
        each.headers = {}
    assert ask(port, Cookie=f"SESSION=1; {cookie}").list("set-cookie") == []


_PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"


def test_no_target_is_503(envoy: Envoy) -> None:
    answered = ask(_serve(envoy))
    assert answered.status == 503
    assert answered.body.decode() == _PAGE.format("503 Service Temporarily Unavailable")
    assert (answered.get("server"), answered.get("content-type")) == ("awselb/2.0", "text/html")


@pytest.mark.parametrize("reply", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length"])
def test_a_target_that_breaks_off_is_502(envoy: Envoy, reply: bytes) -> None:
    answered = ask(_serve(envoy, ("127.0.0.1", _answer_by(reply))))
    assert answered.status == 502
    assert answered.body.decode() == _PAGE.format("502 Bad Gateway")


def test_a_target_that_does_not_listen_is_502(envoy: Envoy) -> None:
    assert ask(_serve(envoy, ("127.0.0.1", find_port()))).status == 502


def test_a_silent_target_is_504(envoy: Envoy, webs: list[Web]) -> None:
    webs[0].delay = 2.5
    answered = ask(_serve(envoy, webs[0], balancer={"idle_timeout.timeout_seconds": "1"}))
    assert answered.status == 504
    assert answered.body.decode() == _PAGE.format("504 Gateway Time-out")


@pytest.mark.parametrize(
    "begin", [b"GET / HTTP/1.1\r\nHost:", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na"]
)
def test_a_client_that_does_not_send_all_is_408(envoy: Envoy, webs: list[Web], begin: bytes) -> None:
    port = _serve(envoy, webs[0], balancer={"idle_timeout.timeout_seconds": "1"})
    with socket.create_connection(("127.0.0.1", port), timeout=5) as end:
        end.sendall(begin)
        assert b" 408 " in end.recv(4096)


def test_errors_of_targets_are_theirs(envoy: Envoy, webs: list[Web]) -> None:
    webs[0].status = 503
    webs[0].headers = {"server": "mine"}
    answered = ask(_serve(envoy, webs[0]))
    assert (answered.status, answered.get("server"), answered.seen["target"]) == (503, "mine", "a")


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nLarge: " + b"x" * 70000 + b"\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_is_no_request_is_400(envoy: Envoy, webs: list[Web], request_: bytes) -> None:
    port = _serve(envoy, webs[0])
    with socket.create_connection(("127.0.0.1", port)) as end:
        end.sendall(request_)
        response = http.client.HTTPResponse(end)
        response.begin()
        assert (response.status, response.read().decode()) == (400, _PAGE.format("400 Bad Request"))
    assert webs[0].asked == []


def test_addresses_of_clients_are_passed_on_as_it_is_set(envoy: Envoy, webs: list[Web]) -> None:
    mode = "routing.http.xff_header_processing.mode"

    def see(sent: dict[str, Any], **attributes: str) -> str | None:
        port = _serve(envoy, webs[0], balancer={key.replace("__", "."): value for key, value in attributes.items()})
        found: str | None = ask(port, **sent).seen["headers"].get("x-forwarded-for")
        return found

    known = {"X_Forwarded_For": "1.2.3.4"}
    assert see({}) == "127.0.0.1"
    assert see(known) == "1.2.3.4, 127.0.0.1"
    assert see(known, **{mode: "preserve"}) == "1.2.3.4"
    assert see({}, **{mode: "preserve"}) is None
    assert see(known, **{mode: "remove"}) is None
    with_port = see({}, **{"routing.http.xff_client_port.enabled": "true"})
    assert (with_port or "").startswith("127.0.0.1:")


@pytest.fixture(scope="module")
def envoy_with_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    modules = hatch_build.compile_envoy_module(tmp_path_factory.mktemp("modules")).parent
    with open_envoy(tmp_path_factory.mktemp("envoy"), modules) as made:
        yield made


@pytest.mark.parametrize("which", ["envoy", "envoy_with_module"])
def test_trace_ids(which: str, request: pytest.FixtureRequest, webs: list[Web]) -> None:
    port = _serve(request.getfixturevalue(which), webs[0])

    def see(**sent: Any) -> str:
        found: str = ask(port, **sent).seen["headers"]["x-amzn-trace-id"]
        return found

    made = see()
    assert re.fullmatch("Root=1-[0-9a-f]{8}-[0-9a-f]{24}", made)
    assert abs(int(made.split("-")[1], 16) - time.time()) < 60
    assert made != see()
    root = "Root=1-67891233-abcdef012345678912345678"
    assert see(X_Amzn_Trace_Id=f"{root};CalledFrom=app").startswith("Self=1-")
    assert see(X_Amzn_Trace_Id=f"{root};CalledFrom=app").endswith(f";{root};CalledFrom=app")
    again = see(X_Amzn_Trace_Id=f"Self=1-67891233-12456789abcdef012345678;{root}")
    assert again.count("Self=") == 1
    assert again.endswith(root)
    assert see(X_Amzn_Trace_Id="Sampled=1").endswith(";Sampled=1")
    assert see(X_Amzn_Trace_Id="x" * 8000).startswith("Root=1-")


def test_invalid_names_of_headers_are_dropped_if_that_is_set(envoy: Envoy, webs: list[Web]) -> None:
    key = "routing.http.drop_invalid_header_fields.enabled"
    for is_set in ("false", "true"):
        port = _serve(envoy, webs[0], balancer={key: is_set})
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/", headers={"bad_name": "1", "Good-Name": "2"})
        connection.getresponse().read()
        seen = webs[0].asked[-1]["headers"]
        assert ("bad_name" in seen, "good-name" in seen) == (is_set == "false", True)


def test_hosts_are_kept_if_that_is_set(envoy: Envoy, webs: list[Web]) -> None:
    port = _serve(envoy, webs[0])
    assert ask(port, Host="x.example.com").seen["headers"]["host"] == f"x.example.com:{port}"
    port = _serve(envoy, webs[0], balancer={"routing.http.preserve_host_header.enabled": "true"})
    assert ask(port, Host="x.example.com:1").seen["headers"]["host"] == "x.example.com:1"
    assert ask(port, Host="x.example.com").seen["headers"]["host"] == "x.example.com"
    # Old clients name none.
    with socket.create_connection(("127.0.0.1", port), timeout=5) as end:
        end.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert end.recv(12) == b"HTTP/1.0 200"
    assert webs[0].asked[-1]["headers"]["host"] == "test.elb.amazonaws.com"


def test_listeners_change_headers_of_responses(envoy: Envoy, webs: list[Web]) -> None:
    webs[0].headers = {"server": "mine"}
    group = make_group("web", webs[0])
    attributes = {
        "routing.http.response.server.enabled": "false",
        "routing.http.response.strict_transport_security.header_value": "max-age=1",
        "routing.http.response.x_frame_options.header_value": "",
    }
    listener = make_listener(forward(group), attributes=attributes)
    envoy.apply(make_view(listener, groups=(group,)))
    answered = ask(listener.description["Port"])
    assert answered.get("strict-transport-security") == "max-age=1"
    assert (answered.get("server"), answered.get("x-frame-options")) == (None, None)


def test_heads_of_http_1_keep_their_form(envoy: Envoy) -> None:
    received: list[bytes] = []
    reply = b"HTTP/1.1 200 Fine\r\nX-oWn: 1\r\nContent-Length: 0\r\n\r\n"
    port = _serve(envoy, ("127.0.0.1", _answer_by(reply, received)))
    with socket.create_connection(("127.0.0.1", port)) as end:
        end.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-hEr: 2\r\nConnection: close\r\n\r\n")
        answered = b""
        while piece := end.recv(65536):
            answered += piece
    assert b"\r\nX-hEr: 2\r\n" in received[0]
    assert b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in received[0]
    assert answered.startswith(b"HTTP/1.1 200 Fine\r\n")
    assert b"\r\nX-oWn: 1\r\n" in answered


def test_idle_connections_are_closed(envoy: Envoy, webs: list[Web]) -> None:
    port = _serve(envoy, webs[0], balancer={"idle_timeout.timeout_seconds": "1"})
    with socket.create_connection(("127.0.0.1", port)) as end:
        end.settimeout(4)
        end.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while end.recv(65536):
            pass


def test_websockets_pass(envoy: Envoy) -> None:
    head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello"
    port = _serve(envoy, ("127.0.0.1", _answer_by(head)))
    with socket.create_connection(("127.0.0.1", port)) as end:
        end.settimeout(5)
        end.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        received = b""
        while not received.endswith(b"hello"):
            received += (piece := end.recv(65536))
            assert piece
    assert received.startswith(b"HTTP/1.1 101")


_CHECKED: dict[str, Any] = {"HealthCheckEnabled": True, "HealthCheckPath": "/health?x=1"}


def test_unhealthy_targets_get_no_requests(envoy: Envoy, webs: list[Web]) -> None:
    webs[0].status = 500
    port = _serve(envoy, *webs[:2], **_CHECKED)
    wait_for(lambda: [each for each in envoy.read_events() if "add_healthy_event" in each])
    assert [ask(port).seen["target"] for _ in range(6)] == ["b"] * 6
    check = next(each for each in webs[1].asked if each["path"] == "/health?x=1")
    assert check["headers"]["user-agent"] == "ELB-HealthChecker/2.0"
    assert check["headers"]["host"] == f"127.0.0.1:{webs[1].port}"
    failure = next(
        each["health_check_failure_event"] for each in envoy.read_events() if "health_check_failure_event" in each
    )
    assert (failure["failure_type"], failure["http_status_code"]) == ("ACTIVE", 500)
    webs[0].status = 200
    wait_for(lambda: ask(port).seen["target"] == "a")


def test_all_targets_get_requests_where_all_are_unhealthy(envoy: Envoy, webs: list[Web]) -> None:
    for each in webs[:2]:
        each.status = 500
    port = _serve(envoy, *webs[:2], **_CHECKED)
    wait_for(
        lambda: (
            len(
                {each["host"]["socket_address"]["port_value"] for each in envoy.read_events()}
                & {each.port for each in webs[:2]}
            )
            == 2
        )
    )
    assert {ask(port).seen["target"] for _ in range(6)} == {"a", "b"}


def test_a_target_that_leaves_finishes_its_requests(envoy: Envoy, webs: list[Web]) -> None:
    webs[0].delay = 0.5
    groups = [make_group("web", webs[0]), make_group("web", webs[1])]
    listener = make_listener(forward(groups[0]))
    envoy.apply(make_view(listener, groups=(groups[0],)))
    port = listener.description["Port"]
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(ask(port).seen["target"]))
    thread.start()
    wait_for(lambda: webs[0].asked)
    envoy.apply(make_view(listener, groups=(groups[1],)))
    assert ask(port).seen["target"] == "b"
    thread.join()
    assert found == ["a"]


def test_changes_under_load_drop_no_request(envoy: Envoy, webs: list[Web]) -> None:
    groups = [make_group("a", webs[0]), make_group("b", webs[1])]
    port = find_port()
    envoy.apply(make_view(make_listener(forward(groups[0]), port=port), groups=tuple(groups)))
    statuses: list[int] = []
    is_over = threading.Event()

    def load() -> None:
        while not is_over.is_set():
            statuses.append(ask(port).status)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for each in threads:
        each.start()
    for number in range(20):
        listener = make_listener(forward(groups[number % 2]), port=port)
        idle = {"idle_timeout.timeout_seconds": str(60 + number // 5)}
        envoy.apply(make_view(listener, groups=tuple(groups), attributes=idle))
        before = len(statuses)
        wait_for(lambda known=before: len(statuses) > known)  # type: ignore[misc]
    is_over.set()
    for each in threads:
        each.join()
    assert set(statuses) == {200}


def serve_http_2(asked: list[dict[str, str]]) -> int:
    """Return the port of a target that speaks HTTP/2 without TLS, and answers 200 to all, of gRPC 12."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer(end: socket.socket) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        with end, suppress(OSError, h2.exceptions.ProtocolError):
            while True:
                end.sendall(connection.data_to_send())
                received = end.recv(65536)
                if not received:
                    return
                for event in connection.receive_data(received):
                    if isinstance(event, h2.events.RequestReceived):
                        asked.append({str(name): str(value) for name, value in event.headers or ()})
                    elif isinstance(event, h2.events.StreamEnded):
                        connection.send_headers(event.stream_id, [(":status", "200"), ("x-target", "two")])
                        connection.send_data(event.stream_id, b"hello")
                        connection.send_headers(event.stream_id, [("grpc-status", "12")], end_stream=True)

    def accept() -> None:
        while True:
            threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port: int = server.getsockname()[1]
    return port


class _Keeper(KeeperClient):
    """A keeper whose networks are the machine's."""

    def __init__(self) -> None:
        pass

    async def call_for_socket(self, function: str, **arguments: Any) -> socket.socket:
        made = socket.socket()
        made.setblocking(False)
        return made


def _check_calls(envoy: Envoy, group: TargetGroup) -> Callable[[], None]:
    """Have calls of gRPC checked as the block does; return a function that ends that."""

    async def handle(request: Request) -> Response | None:
        return await grpc_checks.answer(_Keeper(), make_view(groups=(group,)), group, request)

    return envoy.listen(BlockServer(handle))


def test_calls_of_grpc_have_statuses(envoy: Envoy) -> None:
    check: dict[str, Any] = {"HealthCheckEnabled": True, "ProtocolVersion": "GRPC"}
    target = ("127.0.0.1", serve_http_2([]))
    group = make_group("checked", target, ("127.0.0.1", find_port()), Matcher={"GrpcCode": "0,13-14"}, **check)
    close = _check_calls(envoy, group)
    _serve_https(envoy, group)
    states = HealthStates()

    def look() -> set[str]:
        for event in map(parse_event, envoy.read_lines()):
            if event is not None:
                states.take(event)
        return {states.get(group.arn, each.address, each.port).description for each in group.targets}

    wait_for(lambda: look() == {"Health checks failed with these codes: [12]", "Health checks failed"})
    close()


@pytest.mark.parametrize("version", ["HTTP2", "GRPC"])
def test_targets_may_speak_http_2(envoy: Envoy, version: str) -> None:
    asked: list[dict[str, str]] = []
    check: dict[str, Any] = {"HealthCheckEnabled": True, "HealthCheckPath": "/AWS.ALB/healthcheck"}
    matcher = {"GrpcCode": "12"} if version == "GRPC" else {"HttpCode": "200"}
    target = ("127.0.0.1", serve_http_2(asked))
    before = len(envoy.read_events())
    group = make_group("web", target, ProtocolVersion=version, Matcher=matcher, **check)
    close = _check_calls(envoy, group)
    port = _serve_https(envoy, group)
    assert _ask_by_http_2(port, "/service/Method", "-d", "body") == (200, "hello")
    # Clients that speak HTTP/1.1 alone, and calls that are none.
    assert _ask_by_http_2(port, "/", "--http1.1", "-d", "body")[0] == 464
    assert _ask_by_http_2(port, "/service/Method")[0] == (464 if version == "GRPC" else 200)
    wait_for(lambda: any("add_healthy_event" in each for each in envoy.read_events()[before:]))
    close()
    assert {each[":path"] for each in asked} == {"/service/Method", "/AWS.ALB/healthcheck"}


def test_calls_of_grpc_need_targets_that_speak_http_2(envoy: Envoy, web: Web) -> None:
    port = _serve_https(envoy, make_group("web", web))
    for kind, is_passed in (("grpc", False), ("grpc+proto", False), ("grpc-web", True)):
        before = len(web.asked)
        _ask_by_http_2(port, "/a.B/C", "-d", "body", "-H", f"Content-Type: application/{kind}")
        assert len(web.asked) == before + is_passed


def _serve_https(envoy: Envoy, group: TargetGroup) -> int:
    certificate = make_certificate("www.example.com")
    listener = make_secure_listener(forward(group), certificates=(certificate,))
    envoy.apply(make_view(listener, groups=(group,), certificates=(certificate,)))
    port: int = listener.description["Port"]
    return port


def _ask_by_http_2(port: int, path: str, *options: str) -> tuple[int, str]:
    """Return the status and the body of an answer."""
    command = ["curl", "-sSk", "--http2", *options, "-w", " %{http_code}", f"https://127.0.0.1:{port}{path}"]
    body, _, status = subprocess.run(command, capture_output=True, text=True, check=True).stdout.rpartition(" ")
    return int(status), body
