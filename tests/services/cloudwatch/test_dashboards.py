"""Dashboards, and pictures of metrics."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from matplotlib.image import imread

from cloudlet.services.cloudwatch import dashboard_body
from cloudlet.testing.server import Aws

WIDGET: dict[str, Any] = {
    "type": "metric",
    "x": 0,
    "y": 0,
    "width": 12,
    "height": 6,
    "properties": {"metrics": [["Shop", "Errors"]], "region": "us-east-1", "view": "timeSeries"},
}


def body(*widgets: Any, **more: Any) -> str:
    return json.dumps({"widgets": list(widgets), **more})


def refusal(call: Any, **params: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def test_dashboards_are_kept_for_all_regions(cw: Any, aws: Aws) -> None:
    text = body(WIDGET, start="-PT8H", periodOverride="inherit")
    assert cw.put_dashboard(DashboardName="shop", DashboardBody=text)["DashboardValidationMessages"] == []
    arn = f"arn:aws:cloudwatch::{aws.account}:dashboard/shop"
    elsewhere = Aws(aws.endpoint, aws.account, "eu-west-1").client("cloudwatch")
    found = elsewhere.get_dashboard(DashboardName="shop")
    assert (found["DashboardArn"], found["DashboardBody"]) == (arn, text)
    cw.put_dashboard(DashboardName="shop-2", DashboardBody=body())
    cw.put_dashboard(DashboardName="other", DashboardBody=body())
    entries = cw.list_dashboards(DashboardNamePrefix="shop")["DashboardEntries"]
    assert [(one["DashboardName"], one["Size"]) for one in entries] == [("shop", len(text)), ("shop-2", len(body()))]
    assert datetime.now(UTC) - entries[0]["LastModified"] < timedelta(minutes=1)
    cw.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert cw.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    assert refusal(cw.delete_dashboards, DashboardNames=["shop", "none"])[:2] == (404, "ResourceNotFound")
    cw.delete_dashboards(DashboardNames=["shop", "shop-2"])
    assert [one["DashboardName"] for one in cw.list_dashboards()["DashboardEntries"]] == ["other"]
    assert refusal(cw.get_dashboard, DashboardName="shop")[:2] == (404, "ResourceNotFound")


WRONG = [
    ("nonsense", "", "The body is not valid JSON"),
    ("[" * 100_000, "", "The body is not valid JSON"),
    (r'{"widgets": [], "start": "\ud800"}', "", "The body is not valid JSON"),
    ("[]", "", "Should be object"),
    ("{}", "", "Should have required property 'widgets'"),
    ('{"widgets": {}}', "/widgets", "Should be array"),
    (body(*[WIDGET] * 501), "/widgets", "Should NOT have more than 500 items"),
    (body(5), "/widgets/0", "Should be object"),
    (body({"type": "video"}), "/widgets/0/type", "Should be equal to one of the allowed values: metric, text, log"),
    (body({"type": []}), "/widgets/0/type", "Should be equal to one of the allowed values"),
    (body({"type": "text"}), "/widgets/0", "Should have required property 'properties'"),
    (body({"type": "text", "properties": {}}), "/widgets/0/properties", "Should have required property 'markdown'"),
    (body({**WIDGET, "width": 25}), "/widgets/0/width", "Should be <= 24"),
    (body({**WIDGET, "height": "6"}), "/widgets/0/height", "Should be integer"),
    (body({"type": "text", "x": 1, "properties": {"markdown": ""}}), "/widgets/0", "Should have both of the"),
    (
        body({**WIDGET, "properties": {"region": "r"}}),
        "/widgets/0/properties",
        "Should have required property 'metrics'",
    ),
    (
        body({**WIDGET, "properties": {"metrics": []}}),
        "/widgets/0/properties",
        "Should have required property 'region'",
    ),
    (
        body({**WIDGET, "properties": {"metrics": [["Shop"]], "region": "r"}}),
        "/widgets/0/properties/metrics/0",
        "Should NOT have fewer than 2 items",
    ),
    (body(start="yesterday"), "/start", "Should be a time"),
    (body(periodOverride="no"), "/periodOverride", "Should be equal to one of the allowed values: auto, inherit"),
]


@pytest.mark.parametrize(("text", "path", "said"), WRONG, ids=[case[2][:40] for case in WRONG])
def test_what_is_wrong_with_a_body(text: str, path: str, said: str) -> None:
    [(found, message)] = dashboard_body.check(text).errors
    assert found == path
    assert message.startswith(said)


def test_a_wrong_body_is_refused_and_a_strange_one_is_warned_of(cw: Any) -> None:
    status, code, message = refusal(cw.put_dashboard, DashboardName="d", DashboardBody="{}")
    assert (status, code) == (400, "InvalidParameterInput")
    assert message.startswith("The dashboard body is invalid, there are 1 validation errors: [")
    answer = cw.put_dashboard(DashboardName="d", DashboardBody=body({**WIDGET, "color": "red"}))
    assert answer["DashboardValidationMessages"] == [
        {"DataPath": "/widgets/0/color", "Message": "Should NOT have additional properties"}
    ]
    assert refusal(cw.put_dashboard, DashboardName="a b", DashboardBody=body())[1] == "InvalidParameterValue"


# -- pictures


def picture(cw: Any, **widget: Any) -> Any:
    """Return the pixels of a widget's picture: rows of red, green, blue and alpha."""
    image = cw.get_metric_widget_image(MetricWidget=json.dumps(widget))["MetricWidgetImage"]
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    return imread(io.BytesIO(image))


def share(pixels: Any, color: str) -> float:
    """Return which share of the pixels has a color, more or less."""
    wanted = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return float((abs(pixels[:, :, :3] - wanted).max(axis=2) < 0.05).mean())


@pytest.fixture
def shop(cw: Any) -> Any:
    """A client, with some values of metrics."""
    now = datetime.now(UTC)
    data = [
        {
            "MetricName": "Latency",
            "Value": 50 + minute,
            "Timestamp": now - timedelta(minutes=minute),
            "Dimensions": [{"Name": "Server", "Value": server}],
        }
        for minute in range(0, 60, 5)
        for server in ("a", "b")
    ]
    cw.put_metric_data(Namespace="Shop", MetricData=data)
    return cw


def test_a_picture_has_its_size_and_its_lines(shop: Any) -> None:
    pixels = picture(
        shop,
        metrics=[
            ["Shop", "Latency", "Server", "a", {"color": "#ff0000"}],
            ["...", "b", {"color": "#0000ff", "yAxis": "right"}],
        ],
        width=400,
        height=200,
        title="$Latency_{",
        yAxis={"left": {"min": 0, "label": "ms"}},
        annotations={
            "horizontal": [{"value": 70, "label": "_limit", "color": "#00ff00", "fill": "above"}],
            "vertical": [{"value": datetime.now(UTC).isoformat(), "fill": "before"}],
        },
        stat="Maximum",
        period=60,
    )
    assert pixels.shape == (200, 400, 4)
    for color in ("#ff0000", "#0000ff", "#00ff00"):
        assert share(pixels, color) > 0.0005, color
    assert share(pixels, "#ffffff") > 0.3


@pytest.mark.parametrize(("fill", "most"), [("above", 1000), ("below", 71)])
def test_what_is_above_or_below_a_mark_is_filled_to_the_end_of_the_axis(shop: Any, fill: str, most: int) -> None:
    mark = {"value": 70, "color": "#00ff00", "fill": fill}
    axis = {"left": {"min": -1000, "max": most}}
    metrics = [["Shop", "Latency", "Server", "a"]]
    pixels = picture(shop, metrics=metrics, yAxis=axis, annotations={"horizontal": [mark]})
    assert share(pixels, "#d9ffd9") > (0.25 if fill == "above" else 0.55)


@pytest.mark.parametrize("end", ["P0D", "-PT0H"])
def test_a_picture_up_to_now(shop: Any, end: str) -> None:
    pixels = picture(shop, metrics=[["Shop", "Latency", "Server", "a", {"color": "#ff0000"}]], start="-PT3H", end=end)
    assert share(pixels, "#ff0000") > 0.0005


@pytest.mark.parametrize("view", ["timeSeries", "bar", "pie", "singleValue"])
def test_views(shop: Any, view: str) -> None:
    metrics = [["Shop", "Latency", "Server", "a", {"id": "m1", "color": "#ff0000"}], [{"expression": "m1 * 2"}]]
    pixels = picture(shop, metrics=metrics, view=view, stacked=True, theme="dark", legend={"position": "right"})
    assert pixels.shape == (400, 600, 4)
    assert share(pixels, "#16191f") > 0.2
    if view in ("bar", "pie"):
        assert share(pixels, "#ff0000") > 0.02
    picture(shop, metrics=[["Shop", "None"]], view=view)


def test_a_picture_of_an_alarm(shop: Any) -> None:
    shop.put_metric_alarm(
        AlarmName="slow",
        Namespace="Shop",
        MetricName="Latency",
        Dimensions=[{"Name": "Server", "Value": "a"}],
        Statistic="Average",
        Period=300,
        EvaluationPeriods=1,
        Threshold=60,
        ComparisonOperator="GreaterThanThreshold",
    )
    arn = shop.describe_alarms()["MetricAlarms"][0]["AlarmArn"]
    pixels = picture(shop, annotations={"alarms": [arn]})
    # The threshold, and the metric's line in the first color.
    assert share(pixels, "#d13212") > 0.0005
    assert share(pixels, "#1f77b4") > 0.0005


METRICS = [["Shop", "Latency"]]
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "metrics must be an array of 1 to 100 metrics"),
    ({"metrics": METRICS * 101}, "metrics must be an array of 1 to 100 metrics"),
    ({"metrics": [["Shop"]]}, "a metric has a namespace, a name"),
    ({"metrics": [[".", "x"]]}, "refers to one before it"),
    ({"metrics": METRICS, "width": 2001}, "width must be a whole number from 1 to 2000"),
    ({"metrics": METRICS, "start": "-PT1H", "end": "-PT2H"}, "start must be before end"),
    ({"metrics": METRICS, "start": "soon"}, "soon is no time"),
    ({"metrics": METRICS, "start": "PT1H"}, "PT1H is no time"),
    ({"metrics": METRICS, "start": "-P999999M"}, "too long ago"),
    ({"metrics": METRICS, "start": "0001-01-01"}, "too far away"),
    ({"metrics": METRICS, "view": "3d"}, "view must be one of"),
    ({"metrics": [["Shop", "Latency", {"color": "red"}]]}, "red is no color"),
    ({"metrics": METRICS, "annotations": {"horizontal": [{}]}}, "must have a value"),
    ({"metrics": METRICS, "annotations": {"alarms": ["none"]}}, "there is no metric alarm none"),
    ({"metrics": METRICS, "period": 45}, "must be a multiple of 60"),
    ({"metrics": [[{"expression": "m9"}]]}, "Error in expression 'm1': Unknown identifier 'm9'"),
    ({"metrics": METRICS, "yAxis": {"left": {"min": 2, "max": 1}}}, "min of an axis must be below"),
]


@pytest.mark.parametrize(("widget", "said"), REFUSED, ids=[case[1] for case in REFUSED])
def test_pictures_that_are_refused(cw: Any, widget: dict[str, Any], said: str) -> None:
    status, code, message = refusal(cw.get_metric_widget_image, MetricWidget=json.dumps(widget))
    assert (status, code) == (400, "ValidationError")
    assert said in message


@pytest.mark.parametrize(
    "more",
    [{"view": "gauge"}, {"sparkline": True}, {"region": "eu-west-1"}, {"yAxis": {"left": {"showUnits": True}}}],
)
def test_what_pictures_cannot_have_says_so(cw: Any, more: dict[str, Any]) -> None:
    widget = json.dumps({"metrics": METRICS, **more})
    assert refusal(cw.get_metric_widget_image, MetricWidget=widget)[1] in ("NotImplemented", "ValidationError")
    for malformed in ("{", r'{"metrics": [["Shop", "Orders"]], "title": "half a pair: \ud800"}'):
        assert refusal(cw.get_metric_widget_image, MetricWidget=malformed)[1] == "ValidationError"
    assert refusal(cw.get_metric_widget_image, MetricWidget=widget, OutputFormat="image/png")[1] == "NotImplemented"


def test_without_matplotlib_there_is_a_clear_error() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from cloudlet.services.cloudwatch import picture, widget\n"
        "asked = widget.parse('{\"metrics\": [[\"a\", \"b\"]]}', 'us-east-1', '1', 1e9)\n"
        "try: picture.draw(asked, [])\n"
        "except Exception as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.startswith("NotImplemented: Pictures of metrics need matplotlib: pip install matplotlib")
