"""The three protocols of CloudWatch, without an SDK between."""

from __future__ import annotations

import gzip
import http.client
import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from cloudlet.testing.server import Aws
from cloudlet.wire import cbor
from tests.modes import meaningless_in

pytestmark = meaningless_in("strict", because="the requests are not signed")
VERSION = {"Version": "2010-08-01"}


def post(aws: Aws, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """Send a request of an account in open mode: the signature is not looked at."""
    scope = f"{aws.account}/20260101/us-east-1/monitoring/aws4_request"
    signed = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
    connection = http.client.HTTPConnection(aws.endpoint.removeprefix("http://"), timeout=20)
    try:
        connection.request("POST", path, body, {"Authorization": signed, "X-Amz-Date": "20260101T000000Z", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def query(aws: Aws, action: str, **params: Any) -> tuple[int, str]:
    body = urlencode({"Action": action, **VERSION, **params}).encode()
    status, answer = post(aws, "/", body, {"Content-Type": "application/x-www-form-urlencoded"})
    return status, answer.decode()


def json_call(aws: Aws, operation: str, params: Any) -> tuple[int, Any]:
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"GraniteServiceVersion20100801.{operation}",
    }
    status, answer = post(aws, "/", json.dumps(params).encode(), headers)
    return status, json.loads(answer or b"{}")


def cbor_call(aws: Aws, operation: str, params: Any, *, compressed: bool = False) -> tuple[int, Any]:
    headers = {"Content-Type": "application/cbor", "Smithy-Protocol": "rpc-v2-cbor", "Accept": "application/cbor"}
    body = cbor.encode(params)
    if compressed:
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body)
    path = f"/service/GraniteServiceVersion20100801/operation/{operation}"
    status, answer = post(aws, path, body, headers)
    return status, cbor.decode(answer) if answer else {}


@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_put_in_one_protocol_is_read_in_all(aws: Aws, compressed: bool) -> None:
    now = int(time.time())
    datum = {"MetricName": "m", "Values": [1.5, 2.5], "Counts": [1.0, 3.0], "Unit": "Count"}
    assert cbor_call(aws, "PutMetricData", {"Namespace": "N", "MetricData": [datum]}, compressed=compressed)[0] == 200
    assert json_call(aws, "PutMetricData", {"Namespace": "N", "MetricData": [datum]})[0] == 200
    member = "MetricData.member.1"
    dimension = f"{member}.Dimensions.member.1"
    by_form = {"Namespace": "N", f"{member}.MetricName": "m", f"{member}.Value": "4"}
    assert query(aws, "PutMetricData", **by_form, **{f"{member}.Unit": "Count"})[0] == 200
    named = {f"{dimension}.Name": "a", f"{dimension}.Value": "b"}
    assert query(aws, "PutMetricData", **by_form, **named)[0] == 200
    asked = {"Namespace": "N", "MetricName": "m", "StartTime": now - 600, "EndTime": now + 60, "Period": 3600}
    asked["Statistics"] = ["Sum", "SampleCount"]
    for call in (json_call, cbor_call):
        status, answer = call(aws, "GetMetricStatistics", asked)
        assert status == 200
        [point] = answer["Datapoints"]
        assert (point["Sum"], point["SampleCount"]) == (22, 9)
    times = {name: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(asked[name])) for name in ("StartTime", "EndTime")}
    form = {"Namespace": "N", "MetricName": "m", "Period": "3600", "Statistics.member.1": "Sum", **times}
    status, xml = query(aws, "GetMetricStatistics", **form)
    assert status == 200
    assert "<Sum>22.0</Sum>" in xml
    status, xml = query(aws, "ListMetrics", Namespace="N")
    assert xml.count("<MetricName>m</MetricName>") == 2
    assert "<Name>a</Name>" in xml


def test_errors_have_the_form_of_the_protocol(aws: Aws) -> None:
    params = {"Namespace": "AWS/X", "MetricData": [{"MetricName": "m", "Value": 1}]}
    status, answer = json_call(aws, "PutMetricData", params)
    assert (status, answer["__type"].rpartition("#")[2]) == (400, "InvalidParameterValueException")
    status, answer = cbor_call(aws, "PutMetricData", params)
    assert (status, answer["__type"].rpartition("#")[2]) == (400, "InvalidParameterValueException")
    member = "MetricData.member.1"
    status, xml = query(
        aws, "PutMetricData", Namespace="AWS/X", **{f"{member}.MetricName": "m", f"{member}.Value": "1"}
    )
    assert status == 400
    assert "<Code>InvalidParameterValue</Code>" in xml
    assert "<Type>Sender</Type>" in xml
    status, xml = query(aws, "SetAlarmState", AlarmName="none", StateValue="OK", StateReason="x")
    assert (status, "<Code>ResourceNotFound</Code>" in xml) == (404, True)


def test_numbers_that_no_double_has_are_refused(aws: Aws) -> None:
    data = {"Namespace": "N", "MetricData": [{"MetricName": "m", "Value": 10**400}]}
    assert json_call(aws, "PutMetricData", data)[0] == 400
    alarm = {
        "AlarmName": "a",
        "Namespace": "N",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 10**400,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    assert json_call(aws, "PutMetricAlarm", alarm)[0] == 400


def test_what_functions_make_of_values_are_doubles(aws: Aws) -> None:
    minute = int(time.time()) // 60 * 60
    data = [
        {"MetricName": "m", "Value": value, "Timestamp": minute - 120 + at} for at, value in ((0, 2.0**300), (60, 1.5))
    ]
    assert json_call(aws, "PutMetricData", {"Namespace": "N", "MetricData": data})[0] == 200
    metric = {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    functions = {"up": "CEIL(m)", "down": "FLOOR(m)", "between": "DIFF_TIME(m)"}
    queries: list[dict[str, Any]] = [{"Id": id, "Expression": text} for id, text in functions.items()]
    queries.append({"Id": "m", "MetricStat": metric, "ReturnData": False})
    asked = {"StartTime": minute - 600, "EndTime": minute + 60, "MetricDataQueries": queries}
    status, answer = cbor_call(aws, "GetMetricData", asked)
    values = [result["Values"] for result in answer["MetricDataResults"]]
    assert (status, values) == (200, [[2.0, 2.0**300], [1.0, 2.0**300], [60.0]])
    assert all(isinstance(value, float) for found in values for value in found)


def test_a_request_to_put_data_has_a_megabyte_at_most(aws: Aws) -> None:
    dimensions = [{"Name": f"d{at}", "Value": "x" * 250} for at in range(30)]
    data = [{"MetricName": f"m{at}", "Value": 1.0, "Dimensions": dimensions} for at in range(130)]
    params = {"Namespace": "N", "MetricData": data}
    assert len(cbor.encode(params)) > 1 << 20
    status, answer = cbor_call(aws, "PutMetricData", params)
    assert (status, answer["__type"].rpartition("#")[2]) == (413, "RequestEntityTooLarge")
    # What is compressed counts as it is sent.
    assert cbor_call(aws, "PutMetricData", params, compressed=True)[0] == 200
