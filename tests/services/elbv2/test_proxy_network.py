"""Network Load Balancers, by a real Envoy."""

from __future__ import annotations

import socket
import threading

import pytest

from cloudlet.services.elbv2.proxy.snapshots import make_datagram_snapshot, make_snapshot
from tests.services.elbv2.envoys import (
    Envoy,
    Web,
    ask,
    connect_securely,
    find_port,
    forward,
    make_certificate,
    make_context,
    make_group,
    make_listener,
    make_secure_listener,
    make_view,
    wait_for,
)


def _serve(envoy: Envoy, *targets: object, protocol: str = "TCP", **more: object) -> int:
    listening = {key: more.pop(key) for key in ("AlpnPolicy", "certificates", "SslPolicy") if key in more}
    group = make_group("web", *targets, Protocol=protocol, HealthCheckProtocol="TCP", **more)  # type: ignore[arg-type]
    listener = make_listener(forward(group), protocol=protocol, kind="net", **listening)  # type: ignore[arg-type]
    certificates = (_CERTIFICATE,) if protocol == "TLS" else ()
    view = make_view(listener, groups=(group,), kind="network", certificates=certificates)
    envoy.apply(view, make_datagram_snapshot if "UDP" in protocol else make_snapshot)
    port: int = listener.description["Port"]
    return port


_CERTIFICATE = make_certificate("*.example.com")


def _read_once(port_of: list[int]) -> list[bytes]:
    """Listen, and return what the first connection sends first."""
    server = socket.create_server(("127.0.0.1", 0))
    port_of.append(server.getsockname()[1])
    received: list[bytes] = []

    def read() -> None:
        with server.accept()[0] as end:
            received.append(end.recv(4096))

    threading.Thread(target=read, daemon=True).start()
    return received


def test_connections_are_spread(envoy: Envoy, webs: list[Web]) -> None:
    port = _serve(envoy, *webs)
    found = {ask(port).seen["target"] for _ in range(40)}
    assert found == {"a", "b", "c"}
    assert "x-forwarded-for" not in ask(port).seen["headers"]


def test_sessions_stay_with_a_target_by_source(envoy: Envoy, webs: list[Web]) -> None:
    port = _serve(envoy, *webs, attributes={"stickiness.enabled": "true", "stickiness.type": "source_ip"})
    assert len({ask(port).seen["target"] for _ in range(20)}) == 1


def test_no_target_resets_connections(envoy: Envoy) -> None:
    port = _serve(envoy)
    with pytest.raises(ConnectionError):
        ask(port)


def test_targets_learn_of_clients_by_the_proxy_protocol(envoy: Envoy) -> None:
    ports: list[int] = []
    received = _read_once(ports)
    port = _serve(envoy, ("127.0.0.1", ports[0]), attributes={"proxy_protocol_v2.enabled": "true"})
    with socket.create_connection(("127.0.0.1", port)) as end:
        end.sendall(b"hello")
        own = end.getsockname()[1]
        head = wait_for(lambda: received)[0]
    assert head.startswith(b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c")
    assert head[16:28] == socket.inet_aton("127.0.0.1") * 2 + own.to_bytes(2, "big") + port.to_bytes(2, "big")


def test_tls_ends_at_the_listener(envoy: Envoy) -> None:
    ports: list[int] = []
    received = _read_once(ports)
    group = make_group("web", ("127.0.0.1", ports[0]), Protocol="TCP", HealthCheckProtocol="TCP")
    listener = make_secure_listener(
        forward(group), protocol="TLS", kind="net", certificates=(_CERTIFICATE,), AlpnPolicy=["HTTP2Preferred"]
    )
    envoy.apply(make_view(listener, groups=(group,), kind="network", certificates=(_CERTIFICATE,)))
    context = make_context()
    context.set_alpn_protocols(["http/1.1", "h2"])
    with connect_securely(listener.description["Port"], context=context) as end:
        assert end.selected_alpn_protocol() == "h2"
        end.sendall(b"hello")
        assert wait_for(lambda: received) == [b"hello"]


@pytest.mark.parametrize("protocol", ["UDP", "TCP_UDP"])
def test_datagrams(envoy: Envoy, protocol: str) -> None:
    target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    target.bind(("127.0.0.1", 0))
    target.settimeout(5)
    port = _serve(envoy, ("127.0.0.1", target.getsockname()[1]), protocol=protocol)
    with target, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(b"ask", ("127.0.0.1", port))
        content, origin = target.recvfrom(100)
        target.sendto(content + b"ed", origin)
        assert client.recv(100) == b"asked"


def test_ports_that_nobody_listens_at_are_unhealthy(envoy: Envoy, webs: list[Web]) -> None:
    closed = find_port()
    port = _serve(envoy, webs[0], ("127.0.0.1", closed), HealthCheckEnabled=True)
    name = "health_check_failure_event"
    wait_for(lambda: [each for each in envoy.read_events() if name in each])
    assert {ask(port).seen["target"] for _ in range(10)} == {"a"}
