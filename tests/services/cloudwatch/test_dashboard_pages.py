"""Dashboards as a browser gets them."""

from __future__ import annotations

import json
import signal
import struct
import time
from html.parser import HTMLParser
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.cloudwatch import markdown
from cloudlet.testing.server import Aws, Server
from tests.modes import meaningless_in

pytestmark = meaningless_in("strict", because="there are no pages of dashboards")
EVIL = "<script>alert(1)</script>\" onload='x"


def get(endpoint: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection(urlsplit(endpoint).netloc, timeout=20)
    connection.request("GET", f"/_cloudlet/cloudwatch/dashboards/{path}", headers=headers)
    response = connection.getresponse()
    answer = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return answer


class Page(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, and its text."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def text(markdown: str, **place: int) -> dict[str, Any]:
    return {"type": "text", "properties": {"markdown": markdown}, **place}


def metric(**properties: Any) -> dict[str, Any]:
    metrics = [["Shop", "Sales"]]
    return {"type": "metric", "properties": {"metrics": metrics, "region": "us-east-1", **properties}, "width": 12}


def put(aws: Aws, *widgets: dict[str, Any], **body: Any) -> None:
    text = json.dumps({"widgets": list(widgets), **body})
    aws.client("cloudwatch").put_dashboard(DashboardName="shop", DashboardBody=text)


def test_a_dashboard_is_a_page_with_pictures_texts_and_alarms(aws: Aws) -> None:
    cw = aws.client("cloudwatch")
    cw.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Sales", "Value": 7.0}])
    alarm = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "ignore"}
    watched = {"Namespace": "Shop", "MetricName": "Sales", "Period": 60, "Statistic": "Sum", "Threshold": 100.0}
    cw.put_metric_alarm(AlarmName="high", **alarm, **watched)
    cw.set_alarm_state(AlarmName="high", StateValue="ALARM", StateReason="test")
    arn = f"arn:aws:cloudwatch:us-east-1:{aws.account}:alarm:high"
    alarms = {"type": "alarm", "properties": {"title": "Ours", "alarms": [arn, f"{arn}er"]}}
    put(
        aws,
        metric(title="Sales"),
        text("# Hello\nThis is *it*.", x=12, y=3, width=6, height=2),
        alarms,
        metric(annotations={"alarms": [arn]}),
        {"type": "custom", "properties": {"endpoint": arn}},
        metric(view="gauge"),
    )
    status, headers, html = get(aws.endpoint, f"{aws.account}/shop")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = Page(html)
    refresh = [each["content"] for each in page.all("meta") if each.get("http-equiv") == "refresh"]
    assert refresh == ["60"]
    first, second = page.all("img")
    assert (first["alt"], second["alt"]) == ("Sales", "widget 4")
    assert [each["class"] for each in page.all("section")] == ["metric", "text", "alarm", "metric", "custom", "metric"]
    assert page.all("section")[1]["style"] == "grid-column:13 / span 6;grid-row:4 / span 2"
    assert page.all("h1")[1:] == [{}]
    for expected in (
        "Hello",
        "This is it.",
        "highALARM",
        f"{arn}erno such alarm",
        "type custom are not drawn",
        "view must be",
    ):
        assert expected in page.text
    for image in (first, second):
        status, headers, content = get(aws.endpoint, f"{aws.account}/{image['src']}")
        assert (status, headers["content-type"]) == (200, "image/png")
        assert struct.unpack(">4sII", content[12:24]) == (b"IHDR", 720, 360)


def test_widgets_of_logs_show_what_their_queries_find(aws: Aws) -> None:
    logs = aws.client("logs")
    for name in ("/a", "/b"):
        logs.create_log_group(logGroupName=name)
        logs.create_log_stream(logGroupName=name, logStreamName="s")
        event = {"timestamp": int(time.time() * 1000), "message": f"<b>of {name}</b>"}
        logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=[event])

    def log(query: str) -> dict[str, Any]:
        return {"type": "log", "properties": {"query": query, "region": "us-east-1", "title": "Logs"}}

    put(
        aws,
        log("SOURCE '/a' | SOURCE '/b' | fields @message | sort @message"),
        log("SOURCE '/none' | fields @message"),
        log("fields @message"),
        log("SOURCE '/a' | nonsense"),
    )
    status, _, html = get(aws.endpoint, f"{aws.account}/shop")
    page = Page(html)
    assert (status, page.all("b")) == (200, [])
    assert "Logs@message<b>of /a</b><b>of /b</b>" in page.text
    assert len([each for each in page.all("p") if each.get("class") == "note"]) == 3
    assert "does not exist" in page.text
    assert Page(get(aws.endpoint, f"{aws.account}/shop?start=nonsense")[2]).text.count("nonsense is no time") == 4


def test_what_users_write_is_no_html(aws: Aws) -> None:
    links = '[a](javascript:alert(1)) [b](https://x.example/?a=1&b="2) [button:primary:c](#d)'
    put(aws, text(f"{EVIL}\n\n## {EVIL}\n- {EVIL}\n\n|{EVIL}|b|\n|-|-|\n|1|`{EVIL}`|\n\n{links}"), metric(title=EVIL))
    page = Page(get(aws.endpoint, f"{aws.account}/shop?start={EVIL.replace(' ', '%20')}&refresh=0")[2])
    assert not page.all("script")
    assert not any("onload" in attributes for _, attributes in page.elements)
    assert [each["href"] for each in page.all("a")] == ["./", 'https://x.example/?a=1&b="2', "#d"]
    assert page.all("a")[2]["class"] == "button"
    assert [each.get("http-equiv") for each in page.all("meta") if "http-equiv" in each] == ["Content-Security-Policy"]
    assert page.text.count("<script>alert(1)</script>") >= 5


@given(st.text(alphabet="ab <>\"'&*_`#|-[]()~:1.\n!/"))
def test_markdown_makes_only_its_own_elements(source: str) -> None:
    allowed = {
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "pre",
        "hr",
        "ol",
        "ul",
        "li",
        "blockquote",
        "table",
        "tr",
        "th",
        "td",
    }
    allowed |= {"p", "code", "a", "strong", "em", "del"}
    page = Page(markdown.html_of(source).encode())
    assert {tag for tag, _ in page.elements} <= allowed
    assert all(attributes.keys() <= {"href", "rel", "class"} for _, attributes in page.elements)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# One\n### Three", "<h1>One</h1>\n<h3>Three</h3>"),
        ("a\nb\n\nc", "<p>a\nb</p>\n<p>c</p>"),
        ("**a** *b* __c__ _d_ ~~e~~ snake_case_name", "<p><strong>a</strong> <em>b</em> <strong>c</strong> "
         "<em>d</em> <del>e</del> snake_case_name</p>"),
        ("- a\n* b\n\n1. c\n2. d", "<ul><li>a</li><li>b</li></ul>\n<ol><li>c</li><li>d</li></ol>"),
        ("```\n<a>\n**b**\n```\nc", "<pre>&lt;a&gt;\n**b**</pre>\n<p>c</p>"),
        ("`*a*`", "<p><code>*a*</code></p>"),
        ("> a\n> b", "<blockquote>a\nb</blockquote>"),
        ("---", "<hr>"),
        ("a | b\n--|--\n1 | 2", "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"),
        ("[a](https://b.example)", '<p><a href="https://b.example" rel="noreferrer">a</a></p>'),
    ],
)  # fmt: skip
def test_markdown(source: str, expected: str) -> None:
    assert markdown.html_of(source) == expected


@pytest.mark.parametrize("before", ["", "# ", "- ", "a|b\n-", "a|b\n|"])
def test_markdown_takes_no_longer_than_its_length(before: str) -> None:
    def give_up(*_: object) -> None:
        raise AssertionError("it takes as long as the square of its length")

    signal.signal(signal.SIGVTALRM, give_up)
    # Of this process's own processor time, of which it takes a fraction of a second.
    signal.setitimer(signal.ITIMER_VIRTUAL, 60)
    try:
        for piece in ("[", "*", "**a", "`", "[a](", "|", "> ", "_a", "~~", "#", " ", "-", "- ", "-|"):
            markdown.html_of(f"{before}{piece * (100_000 // len(piece))}x")
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def test_dashboards_of_an_account_are_listed(aws: Aws) -> None:
    put(aws, text("a"))
    status, _, html = get(aws.endpoint, f"{aws.account}/")
    assert status == 200
    assert [each["href"] for each in Page(html).all("a")] == ["shop"]
    assert Page(get(aws.endpoint, "000000000001/")[2]).all("a") == []


def test_what_is_not_there(aws: Aws) -> None:
    put(aws, text("a"), metric(view="gauge"))
    for path in ("", "shop", f"{aws.account}/none", f"{aws.account}/shop/0.png", f"{aws.account}/shop/9.png"):
        assert get(aws.endpoint, path)[0] == 404
    assert get(aws.endpoint, f"{aws.account}/shop/1.png")[0] == 400


def test_a_page_from_elsewhere_that_has_its_name_lead_here_sees_nothing(aws: Aws) -> None:
    put(aws, text("a"))
    path = f"{aws.account}/shop"
    for host, status in (("evil.example", 403), ("127.0.0.1:4566", 200), ("app.localhost", 200), ("[::1]:1", 200)):
        assert get(aws.endpoint, path, **{"host": host, "accept-language": "en"})[0] == status


def test_in_strict_mode_there_are_no_pages(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path), "--auth", "strict", "--root-key", "111122223333:AKIA:secret") as server:
        assert get(server.endpoint, "000000000000/")[0] == 403
