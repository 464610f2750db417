"""Rules of Application Load Balancers, as a real Envoy applies them."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from cloudlet.services.elbv2.proxy import redirects
from tests.services.elbv2.envoys import (
    LOGGED,
    Envoy,
    Web,
    answer,
    ask,
    find_end,
    forward,
    make_group,
    make_listener,
    make_rule,
    make_view,
    redirect,
    wait_for,
)


def _match(envoy: Envoy, *conditions: dict[str, Any]) -> int:
    """Have a rule with conditions answer 200, and all else 418; return the port."""
    rule = make_rule(1, list(conditions), answer(200))
    listener = make_listener(answer(418), rules=[rule])
    envoy.apply(make_view(listener))
    port: int = listener.description["Port"]
    return port


def _values(field: str, member: str, *values: Any, **more: Any) -> dict[str, Any]:
    return {"Field": field, member: {"Values": list(values), **more}}


def _path(*values: str) -> dict[str, Any]:
    return _values("path-pattern", "PathPatternConfig", *values)


def _host(*values: str) -> dict[str, Any]:
    return _values("host-header", "HostHeaderConfig", *values)


def test_it_forwards_to_targets(envoy: Envoy, web: Web) -> None:
    group = make_group("web", web)
    listener = make_listener(forward(group))
    envoy.apply(make_view(listener, groups=(group,)))
    port = listener.description["Port"]
    answered = ask(port, "/a%20b?c=d&e", "POST", b"body", X_Own="value")
    assert answered.status == 200
    assert answered.seen["path"] == "/a%20b?c=d&e"
    assert answered.seen["body"] == "body"
    assert answered.seen["headers"]["x-own"] == "value"
    assert answered.seen["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert answered.seen["headers"]["x-forwarded-proto"] == "http"
    assert answered.seen["headers"]["x-forwarded-port"] == str(port)
    assert answered.seen["headers"]["host"] == f"127.0.0.1:{port}"
    assert not [name for name in answered.seen["headers"] if name.startswith(("x-envoy", "x-cloudlet", "x-request-id"))]
    assert not [name for name, _ in answered.headers if name.startswith("x-envoy")]
    assert answered.get("server") is None


@pytest.mark.parametrize(
    ("pattern", "path", "is_match"),
    [
        ("/img/*", "/img/a/b.png", True),
        ("/img/*", "/img", False),
        ("/img/*", "/img/a?b=/c", True),
        ("/a?c", "/abc", True),
        ("/a?c", "/ac", False),
        ("/a?c", "/a?c", False),
        ("/Case", "/case", False),
        ("/exact", "/exact?query", True),
        ("/a.b", "/axb", False),
        ("*.js", "/x/y.js", True),
        ("*.js", "/x/y?z.js", False),
    ],
)
def test_paths(envoy: Envoy, pattern: str, path: str, is_match: bool) -> None:
    assert ask(_match(envoy, _path(pattern)), path).status == (200 if is_match else 418)


@pytest.mark.parametrize(
    ("pattern", "host", "is_match"),
    [
        ("*.example.com", "www.example.com", True),
        ("*.example.com", "WWW.Example.COM:8080", True),
        ("*.example.com", "example.com", False),
        ("example.com", "example.com.evil", False),
        ("a?.example.com", "ab.example.com", True),
    ],
)
def test_hosts(envoy: Envoy, pattern: str, host: str, is_match: bool) -> None:
    assert ask(_match(envoy, _host(pattern)), Host=host).status == (200 if is_match else 418)


@pytest.mark.parametrize(
    ("expression", "path", "is_match"), [("^/v[0-9]+/x$", "/v12/x?q=1", True), ("^/v[0-9]+/x$", "/v12/xy", False)]
)
def test_regular_expressions_of_paths(envoy: Envoy, expression: str, path: str, is_match: bool) -> None:
    port = _match(envoy, {"Field": "path-pattern", "RegexValues": [expression]})
    assert ask(port, path).status == (200 if is_match else 418)


@pytest.mark.parametrize(("agent", "is_match"), [("Chrome/1", True), ("a, mozilla x", True), ("curl", False)])
def test_headers(envoy: Envoy, agent: str, is_match: bool) -> None:
    header = _values("http-header", "HttpHeaderConfig", "*chrome*", "mozilla*", HttpHeaderName="User-Agent")
    assert ask(_match(envoy, header), User_Agent=agent).status == (200 if is_match else 418)


@pytest.mark.parametrize(
    ("key", "value", "path", "is_match"),
    [
        ("version", "v1", "/?version=v1", True),
        ("version", "v1", "/?a=b&VERSION=V1&c", True),
        ("version", "v1", "/?version=v12", False),
        ("version", "v1", "/?xversion=v1", False),
        ("version", "v1", "/version=v1", False),
        (None, "exam*", "/?a=example", True),
        (None, "exam*", "/?example", True),
        (None, r"\*", "/?a=*", True),
        (None, r"\*", "/?a=x", False),
    ],
)
def test_queries(envoy: Envoy, key: str | None, value: str, path: str, is_match: bool) -> None:
    pair = {"Value": value} if key is None else {"Key": key, "Value": value}
    assert ask(_match(envoy, _values("query-string", "QueryStringConfig", pair)), path).status == (
        200 if is_match else 418
    )


def test_methods(envoy: Envoy) -> None:
    port = _match(envoy, _values("http-request-method", "HttpRequestMethodConfig", "PUT", "PURGE"))
    assert [ask(port, method=method).status for method in ("GET", "PUT", "PURGE")] == [418, 200, 200]


@pytest.mark.parametrize(("range_", "is_match"), [("127.0.0.0/8", True), ("10.0.0.0/8", False)])
def test_addresses_of_clients(envoy: Envoy, range_: str, is_match: bool) -> None:
    port = _match(envoy, _values("source-ip", "SourceIpConfig", range_))
    forged: dict[str, Any] = {"X_Cloudlet_Source": "10.0.0.1", "X_Forwarded_For": "10.0.0.1"}
    assert ask(port, **forged).status == (200 if is_match else 418)


def test_all_conditions_must_hold_and_one_of_their_values(envoy: Envoy) -> None:
    port = _match(envoy, _path("/a", "/b"), _host("x.example.com", "y.example.com"))
    asked = [("/a", "x"), ("/b", "y"), ("/c", "x"), ("/a", "z")]
    assert [ask(port, path, Host=f"{name}.example.com").status for path, name in asked] == [200, 200, 418, 418]


def test_the_first_rule_by_priority_counts(envoy: Envoy) -> None:
    rules = [make_rule(1, [_path("/a")], answer(201)), make_rule(5, [_path("/*")], answer(202))]
    listener = make_listener(answer(203), rules=rules)
    envoy.apply(make_view(listener))
    port = listener.description["Port"]
    assert [ask(port, path).status for path in ("/a", "/b")] == [201, 202]


def test_fixed_responses(envoy: Envoy) -> None:
    listener = make_listener(answer(503, "sorry 100%", "text/html"))
    envoy.apply(make_view(listener))
    answered = ask(listener.description["Port"])
    assert (answered.status, answered.body) == (503, b"sorry 100%")
    assert answered.get("content-type") == "text/html; charset=utf-8"
    assert answered.get("server") == "awselb/2.0"


@pytest.mark.parametrize(
    ("config", "path", "location"),
    [
        ({"Protocol": "HTTPS", "Port": "443"}, "/a?b=c", "https://x.example.com:443/a?b=c"),
        ({"Protocol": "HTTPS", "Port": "443"}, "/", "https://x.example.com:443/"),
        ({"Host": "new.#{host}"}, "/a", "http://new.x.example.com:{port}/a"),
        ({"Path": "/v2/#{path}"}, "/a?b=c", "http://x.example.com:{port}/v2/a?b=c"),
        ({"Path": "/v2/#{path}"}, "/a", "http://x.example.com:{port}/v2/a"),
        ({"Query": "x=1&#{query}"}, "/a?b=c", "http://x.example.com:{port}/a?x=1&b=c"),
        ({"Path": "/50%25", "Query": ""}, "/a?b=c", "http://x.example.com:{port}/50%25"),
    ],
)
def test_redirects(envoy: Envoy, config: dict[str, str], path: str, location: str) -> None:
    listener = make_listener(redirect(302, **config))
    envoy.apply(make_view(listener))
    port = listener.description["Port"]
    answered = ask(port, path, Host=f"x.example.com:{port}")
    assert answered.status == 302
    assert answered.list("location") == [location.replace("{port}", str(port))]
    assert (answered.get("content-type"), answered.get("content-length")) == ("text/html", "110")


def test_redirects_of_clients_of_this_machine_lead_to_ports_that_they_reach() -> None:
    listener = make_listener(redirect(Protocol="HTTPS", Port="443"), port=80)
    (balancer,) = make_view(listener, machine_address="127.64.0.9", machine_ports={443: 8443}).load_balancers
    config = listener.description["DefaultActions"][0]["RedirectConfig"]
    (predicate, moved), (always, own) = redirects.make_routes(balancer, listener, config)
    locations = [route["response_headers_to_add"][-1]["header"]["value"] for route in (moved, own)]
    assert locations == [f"https://%REQ(:authority)%:{port}%PATH(WQ:PATH)%" for port in (8443, 443)]
    assert predicate["single_predicate"]["value_match"] == {"exact": "127.64.0.9"}
    assert always == {}


def test_weights(envoy: Envoy) -> None:
    webs = Web("heavy"), Web("light"), Web("none")
    groups = tuple(make_group(each.name, each) for each in webs)
    listener = make_listener(forward(*groups, weights=(3, 1, 0)))
    envoy.apply(make_view(listener, groups=groups))
    port = listener.description["Port"]
    names = [ask(port).seen["target"] for _ in range(200)]
    assert 110 < names.count("heavy") < 190
    assert names.count("none") == 0
    for each in webs:
        each.close()


def test_groups_of_which_none_has_a_weight_answer_503(envoy: Envoy, web: Web) -> None:
    group = make_group("web", web)
    listener = make_listener(forward(group, weights=(0,)))
    envoy.apply(make_view(listener, groups=(group,)))
    assert ask(listener.description["Port"]).status == 503


_KEPT = "x.example.com:{port}"


def _rewrite(host: tuple[str, str] | None = None, url: tuple[str, str] | None = None) -> list[dict[str, Any]]:
    found = []
    for pair, kind, member in (
        (host, "host-header-rewrite", "HostHeaderRewriteConfig"),
        (url, "url-rewrite", "UrlRewriteConfig"),
    ):
        if pair:
            found.append({"Type": kind, member: {"Rewrites": [{"Regex": pair[0], "Replace": pair[1]}]}})
    return found


@pytest.mark.parametrize(
    ("transforms", "path", "seen_host", "seen_path"),
    [
        (_rewrite(url=(r"^/api/(.+)$", "/internal/$1")), "/api/users?a=b", _KEPT, "/internal/users?a=b"),
        (_rewrite(url=(r"^/api/([^?]+)\?id=(.*)$", "/$1/$2")), "/api/users?id=7", _KEPT, "/users/7"),
        (_rewrite(url=("^/nothing", "/x")), "/api/users?id=7", _KEPT, "/api/users?id=7"),
        (_rewrite(host=(r"^(.+)\.example\.com", "$1.internal")), "/api/a", "x.internal:{port}", "/api/a"),
        (_rewrite(host=(r"^(.+)\.other", "$1.internal")), "/api/a", _KEPT, "/api/a"),
    ],
)  # fmt: skip
def test_rewrites(
    envoy: Envoy, web: Web, transforms: list[dict[str, Any]], path: str, seen_host: str, seen_path: str
) -> None:
    group = make_group("web", web)
    rules = [make_rule(1, [_path("/api/*")], forward(group), Transforms=transforms)]
    listener = make_listener(answer(418), rules=rules)
    envoy.apply(make_view(listener, groups=(group,)))
    port = listener.description["Port"]
    seen = ask(port, path, Host="x.example.com").seen
    assert (seen["headers"]["host"], seen["path"]) == (seen_host.replace("{port}", str(port)), seen_path)


def test_a_session_stays_with_a_target_group(envoy: Envoy) -> None:
    webs = Web("a"), Web("b")
    groups = tuple(make_group(each.name, each) for each in webs)
    listener = make_listener(forward(*groups, sticky=60))
    envoy.apply(make_view(listener, groups=groups))
    port = listener.description["Port"]
    first = ask(port)
    cookies = [value.partition(";")[0] for value in first.list("set-cookie")]
    assert [each.partition("=")[0] for each in cookies] == ["AWSALBTG", "AWSALBTGCORS"]
    assert find_end(first.list("set-cookie")[0]) > time.time()
    assert "; SameSite=None; Secure" in first.list("set-cookie")[1]
    for cookie in cookies:
        assert {ask(port, Cookie=f"x=y; {cookie}; z=1").seen["target"] for _ in range(10)} == {first.seen["target"]}
    for each in webs:
        each.close()


def test_the_log_tells_of_rules_and_actions(envoy: Envoy, web: Web) -> None:
    group = make_group("web", web)
    listener = make_listener(answer(418), rules=[make_rule(7, [_path("/a")], forward(group))])
    envoy.apply(make_view(listener, groups=(group,), attributes=LOGGED))
    ask(listener.description["Port"], "/a")
    # Requests of other tests are told late.
    mine = "7"
    entry = wait_for(
        lambda: [each for _, each in envoy.logged if each.common_properties.custom_tags.get("rule") == mine]
    )[0]
    assert dict(entry.common_properties.custom_tags) == {"rule": "7", "actions": "forward"}
    assert entry.common_properties.upstream_cluster == group.arn
    assert entry.request.request_headers["x-amzn-trace-id"].startswith("Root=1-")


def test_requests_that_no_rule_is_asked_for(envoy: Envoy, web: Web) -> None:
    group = make_group("web", web)
    modes = {mode: make_listener(forward(group)) for mode in ("defensive", "strictest")}

    def send(port: int, text: str) -> int:
        with socket.create_connection(("127.0.0.1", port)) as end:
            end.sendall(text.replace("\n", "\r\n").encode())
            return int(end.recv(4096).split()[1])

    for mode, listener in modes.items():
        envoy.apply(make_view(listener, groups=(group,), attributes={"routing.http.desync_mitigation_mode": mode}))
        port, refused = listener.description["Port"], 400 if mode == "strictest" else 200
        assert ask(port, X_Forwarded_For=", ".join(["192.0.2.1"] * 30)).status == 200
        assert ask(port, X_Forwarded_For=", ".join(["192.0.2.1"] * 31)).status == 463
        assert ask(port, method="TRACE").status == 405
        assert send(port, "GET / HTTP/1.1\nHost: x\nContent-Length: 0\n\n") == refused
        both = "Content-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n"
        assert send(port, f"POST / HTTP/1.1\nHost: x\n{both}") == refused
        assert send(port, "POST / HTTP/1.1\nHost: x\nContent-Length: 5\nContent-Length: 6\n\nhello") == 400
