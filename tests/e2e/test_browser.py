"""Chromium: what Cloudlet shows, what pages may do with an account, and what pages from elsewhere may not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from cloudlet.testing.server import Aws
from tests.e2e import browser as browsers
from tests.e2e.browser import PATIENCE_SECONDS, Pages, fetched
from tests.services.apigateway import endpoint as endpoints
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint
from tests.standing import eventually

SHOP, EVIL = "shop.test", "evil.test"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browsers.chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    with browsers.pages() as pages:
        yield pages


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with endpoints.running() as endpoint:
        yield endpoint


def shown(browser: Chrome, wanted: str) -> str:
    """Wait until the page that is shown has some text; return all of it."""

    def text() -> str:
        return str(browser.execute_script("return document.documentElement?.textContent ?? ''"))

    return eventually(text, lambda seen: wanted in seen)


def errors(browser: Chrome) -> list[str]:
    """Return what the console has said since this was asked last."""
    return [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]


# -- dashboards


@pytest.fixture
def dashboard(aws: Aws) -> str:
    """The address of a dashboard with two pictures, a text, an alarm and a query."""
    cloudwatch, logs = aws.client("cloudwatch"), aws.client("logs")
    now = time.time()
    data = [{"MetricName": "orders", "Timestamp": now - 60 * age, "Value": 40 - age} for age in range(30)]
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=data)
    cloudwatch.put_metric_alarm(
        AlarmName="too-few",
        Namespace="Shop",
        MetricName="orders",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
    )
    arn = cloudwatch.describe_alarms()["MetricAlarms"][0]["AlarmArn"]
    logs.create_log_group(logGroupName="/shop")
    logs.create_log_stream(logGroupName="/shop", logStreamName="a")
    event = {"timestamp": int(now * 1000), "message": "order 7 was paid"}
    logs.put_log_events(logGroupName="/shop", logStreamName="a", logEvents=[event])
    metric = {"metrics": [["Shop", "orders"]], "region": "us-east-1", "period": 60, "stat": "Sum"}
    widgets = [
        {"type": "text", "width": 24, "height": 2, "properties": {"markdown": "# The shop\nIt *sells*."}},
        {"type": "metric", "width": 12, "properties": {**metric, "title": "Orders"}},
        {"type": "metric", "width": 12, "properties": {**metric, "title": "Now", "view": "singleValue"}},
        {"type": "alarm", "width": 6, "properties": {"title": "Alarms", "alarms": [arn]}},
        {
            "type": "log",
            "width": 12,
            "properties": {"query": "SOURCE '/shop' | fields @message", "region": "us-east-1"},
        },
    ]
    cloudwatch.put_dashboard(DashboardName="shop", DashboardBody=json.dumps({"widgets": widgets}))
    return f"{aws.endpoint}/_cloudlet/cloudwatch/dashboards/{aws.account}/shop"


def test_a_dashboard_shows_its_widgets(browser: Chrome, dashboard: str) -> None:
    errors(browser)
    browser.get(dashboard)
    text = shown(browser, "The shop")
    for part in ("It sells.", "Alarms", "too-few", "order 7 was paid"):
        assert part in text
    pictures = (
        "return [...document.images].map(each => [each.alt, each.complete, each.naturalWidth, each.naturalHeight])"
    )
    assert browser.execute_script(pictures) == [["Orders", True, 720, 360], ["Now", True, 720, 360]]
    assert errors(browser) == []


def test_widgets_are_beside_each_other_or_below_where_there_is_no_room(browser: Chrome, dashboard: str) -> None:
    browser.get(dashboard)
    places = "return [...document.querySelectorAll('.metric')].map(each => each.getBoundingClientRect().toJSON())"
    left, right = browser.execute_script(places)
    assert left["top"] == right["top"]
    assert left["right"] < right["left"]
    was = browser.get_window_size()
    browser.set_window_size(500, 900)
    try:
        upper, lower = browser.execute_script(places)
    finally:
        browser.set_window_size(was["width"], was["height"])
    assert upper["bottom"] < lower["top"]
    assert upper["width"] == lower["width"] > 400


def test_a_dashboard_is_found_and_asked_for_another_span(browser: Chrome, dashboard: str) -> None:
    browser.get(dashboard.removesuffix("shop"))
    browser.find_element(By.LINK_TEXT, "shop").click()
    shown(browser, "It sells.")
    browser.find_element(By.CSS_SELECTOR, "[name=start] [value='-PT1H']").click()
    browser.find_element(By.CSS_SELECTOR, "[name=refresh] [value='0']").click()
    browser.find_element(By.TAG_NAME, "button").click()
    WebDriverWait(browser, PATIENCE_SECONDS).until(lambda _: "start=-PT1H&refresh=0" in browser.current_url)
    sources = browser.execute_script("return [...document.images].map(each => each.src)")
    assert all("start=-PT1H" in source for source in sources)
    assert browser.find_elements(By.CSS_SELECTOR, "meta[http-equiv=refresh]") == []


# -- S3


def test_a_form_uploads_a_file(browser: Chrome, pages: Pages, aws: Aws, bucket: str, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(b"\x89PNG" + bytes(range(256)) * 1000)
    pages.add("/thanks", "Thank you")
    back = f"{pages.origin(SHOP)}/thanks"
    post = aws.client("s3").generate_presigned_post(
        bucket, "of-${filename}", {"success_action_redirect": back}, [{"success_action_redirect": back}]
    )
    fields = "".join(f'<input type=hidden name="{escape(k)}" value="{escape(v)}">' for k, v in post["fields"].items())
    form = f'<form action="{post["url"]}" method=post enctype="multipart/form-data">{fields}<input type=file name=file>'
    pages.add("/upload", f"{form}<button>Send</button></form>")
    browser.get(f"{pages.origin(SHOP)}/upload")
    browser.find_element(By.NAME, "file").send_keys(str(file))
    browser.find_element(By.TAG_NAME, "button").click()
    shown(browser, "Thank you")
    assert f"bucket={bucket}" in browser.current_url
    assert aws.client("s3").get_object(Bucket=bucket, Key="of-picture.png")["Body"].read() == file.read_bytes()


def test_a_page_puts_an_object_where_the_bucket_allows_its_origin(
    browser: Chrome, pages: Pages, aws: Aws, bucket: str
) -> None:
    s3 = aws.client("s3")
    url = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "a", "ContentType": "text/x-own"})
    put = {"method": "PUT", "headers": {"content-type": "text/x-own"}, "body": "from a page"}
    browser.get(pages.origin(SHOP))
    assert "failed" in fetched(browser, url, put)
    rule = {
        "AllowedOrigins": [pages.origin(SHOP)],
        "AllowedMethods": ["PUT"],
        "AllowedHeaders": ["content-type"],
        "ExposeHeaders": ["ETag"],
    }
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    browser.get(pages.origin(EVIL))
    assert "failed" in fetched(browser, url, put)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    browser.get(pages.origin(SHOP))
    answer: Any = fetched(browser, url, put)
    found = s3.get_object(Bucket=bucket, Key="a")
    assert (answer["status"], answer["headers"]["etag"]) == (200, found["ETag"])
    assert found["Body"].read() == b"from a page"


def test_a_website_is_browsed(browser: Chrome, aws: Aws, bucket: str) -> None:
    s3 = aws.client("s3")
    s3.delete_public_access_block(Bucket=bucket)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    site = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=site)
    for key, kind, content in (
        ("index.html", "text/html", "<title>Shop</title><link rel=stylesheet href=/look.css><a href=/more>More</a>"),
        ("look.css", "text/css", "body{color:rgb(1, 2, 3)}"),
        ("more/index.html", "text/html", "<title>More</title><a href=nothing>Broken</a>"),
        ("error.html", "text/html", "<title>Sorry</title>"),
    ):
        s3.put_object(Bucket=bucket, Key=key, Body=content.encode(), ContentType=kind)
    site_url = f"http://{bucket}.s3-website.localhost:{aws.endpoint.rpartition(':')[2]}"
    browser.get(site_url)
    assert browser.find_element(By.TAG_NAME, "body").value_of_css_property("color") == "rgba(1, 2, 3, 1)"
    for link, title, path in (("More", "More", "/more/"), ("Broken", "Sorry", "/more/nothing")):
        browser.find_element(By.LINK_TEXT, link).click()
        WebDriverWait(browser, PATIENCE_SECONDS).until(lambda _, title=title: browser.title == title)
        assert browser.current_url == site_url + path


# -- API Gateway


def test_a_page_calls_an_http_api_that_allows_its_origin(
    browser: Chrome, pages: Pages, aws: Aws, endpoint: Endpoint
) -> None:
    cloud = GatewayCloud(aws)
    cors = {"AllowOrigins": [pages.origin(SHOP)], "AllowMethods": ["PUT"], "AllowHeaders": ["x-own"]}
    api = cloud.api(CorsConfiguration={**cors, "ExposeHeaders": ["x-endpoint"]})
    cloud.route(api, "PUT /orders", cloud.to_url(api, f"{endpoint.url}/"))
    url = f"{aws.endpoint}/_aws/execute-api/{api}/orders"
    put = {"method": "PUT", "headers": {"x-own": "7"}, "body": "an order"}
    browser.get(pages.origin(EVIL))
    assert "failed" in fetched(browser, url, put)
    assert endpoint.seen == []
    browser.get(pages.origin(SHOP))
    answer: Any = fetched(browser, url, put)
    assert (answer["status"], answer["headers"]["x-endpoint"]) == (200, "yes")
    assert json.loads(answer["text"])["body"] == "an order"
    assert "failed" in fetched(browser, url, {**put, "headers": {"x-other": "7"}})


def test_a_page_talks_to_a_websocket_api(browser: Chrome, pages: Pages, aws: Aws) -> None:
    cloud = GatewayCloud(aws)
    api = cloud.websocket_api_without_function()
    cloud.route(api, "$connect", cloud.integration(api, IntegrationType="MOCK"))
    cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    browser.get(pages.origin(SHOP))
    script = """
        const [url, text, done] = arguments;
        window.socket = new WebSocket(url);
        window.heard = [];
        socket.onopen = () => socket.send(text);
        socket.onmessage = message => (heard.push(message.data), done(message.data));
        socket.onclose = event => done(`closed: ${event.code}`);
    """
    url = f"{aws.endpoint.replace('http', 'ws')}/_aws/execute-api/{api}/live"
    told = browser.execute_async_script(script, url, "who am I")
    connection = json.loads(told)["connectionId"]
    management = aws.client("apigatewaymanagementapi", endpoint_url=f"{aws.endpoint}/_aws/execute-api/{api}/live")
    management.post_to_connection(ConnectionId=connection, Data="Grüße".encode())
    assert eventually(lambda: browser.execute_script("return heard"), lambda heard: len(heard) == 2)[1] == "Grüße"
    browser.execute_script("socket.close()")


# -- pages from elsewhere, where everybody is let in


@pytest.fixture
def queues(aws: Aws) -> Any:
    """The queues of the account of those who do not sign."""
    return Aws(aws.endpoint, "000000000000").client("sqs", aws_access_key_id="test")


def names(queues: Any) -> list[str]:
    return [url.rpartition("/")[2] for url in queues.list_queues().get("QueueUrls", [])]


def test_a_page_of_this_machine_may_call_the_apis(browser: Chrome, pages: Pages, aws: Aws, queues: Any) -> None:
    browser.get(pages.origin())
    headers = {"x-amz-target": "AmazonSQS.CreateQueue", "content-type": "application/x-amz-json-1.0"}
    answer = fetched(
        browser, aws.endpoint, {"method": "POST", "headers": headers, "body": '{"QueueName": "of-a-page"}'}
    )
    assert answer["status"] == 200
    assert "of-a-page" in names(queues)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "elsewhere.test"])
def test_a_page_from_elsewhere_reaches_nothing(
    browser: Chrome, pages: Pages, aws: Aws, queues: Any, dashboard: str, host: str
) -> None:
    """`host`: any name can be made to lead to this machine, and then browsers tell less of whose the page is."""
    port = aws.endpoint.rpartition(":")[2]
    there = f"http://{host}:{port}"
    create = "Action=CreateQueue&Version=2012-11-05&QueueName"
    browser.get(pages.origin(EVIL))
    target = {"x-amz-target": "AmazonSQS.CreateQueue", "content-type": "application/x-amz-json-1.0"}
    assert "failed" in fetched(browser, there, {"method": "POST", "headers": target, "body": '{"QueueName": "bad-1"}'})
    body = {"method": "POST", "mode": "no-cors", "body": f"{create}=bad-2"}
    fetched(browser, there, {**body, "headers": {"content-type": "application/x-www-form-urlencoded"}})
    assert "failed" in fetched(browser, f"{there}/?{create}=bad-3")
    fetched(browser, f"{there}/?{create}=bad-4", {"mode": "no-cors"})
    load = """
        const [kind, url, done] = arguments;
        const element = document.createElement(kind);
        element.referrerPolicy = "no-referrer";
        element.onload = element.onerror = () => done();
        element.src = url;
        document.body.append(element);
    """
    for kind in ("img", "iframe", "script"):
        browser.execute_async_script(load, kind, f"{there}/?{create}=bad-{kind}")
    fields = {"Action": "CreateQueue", "Version": "2012-11-05", "QueueName": "bad-form"}
    inputs = "".join(f"<input name={name} value={value}>" for name, value in fields.items())
    pages.add("/form", f"<form action='{there}/' method=post>{inputs}<button>Win</button></form>")
    browser.get(f"{pages.origin(EVIL)}/form")
    browser.find_element(By.TAG_NAME, "button").click()
    shown(browser, "Cloudlet answers pages of this machine only")
    assert [name for name in names(queues) if name.startswith("bad")] == []


def test_a_page_whose_own_name_was_made_to_lead_here_reaches_nothing(
    browser: Chrome, aws: Aws, queues: Any, dashboard: str, bucket: str
) -> None:
    port = aws.endpoint.rpartition(":")[2]
    there = f"http://{EVIL}:{port}"
    # What is shown is of this origin, as the page would be that was loaded before the name led here.
    browser.get(f"{there}/nothing")
    create = "Action=CreateQueue&Version=2012-11-05&QueueName"
    assert fetched(browser, f"{there}/?{create}=own-1")["status"] == 403
    own = {"headers": {"authorization": "AWS4-HMAC-SHA256 Credential=test/20300101/us-east-1/sqs/aws4_request"}}
    assert fetched(browser, f"{there}/?{create}=own-2", own)["status"] == 403
    target = {"x-amz-target": "AmazonSQS.CreateQueue", "content-type": "application/x-amz-json-1.0"}
    asked = {"method": "POST", "headers": target, "body": '{"QueueName": "own-3"}'}
    assert fetched(browser, there, asked)["status"] == 403
    for method in ("GET", "PUT"):
        assert fetched(browser, f"{there}/{bucket}/a", {"method": method})["status"] == 403
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket=bucket)
    assert fetched(browser, dashboard.replace(aws.endpoint, there))["status"] == 403
    assert [name for name in names(queues) if name.startswith("own")] == []
