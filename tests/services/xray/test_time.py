"""What changes with time, and what survives a crash."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from cloudlet.testing.server import Aws, Server
from tests.services.xray.segments import put, segment, trace_id
from tests.standing import NOON, Standing, eventually

_NOON = datetime.fromisoformat(NOON).timestamp()


def known(xray: Any, trace: str) -> list[str]:
    """Return the ids of the segments of a trace that are there."""
    traces = xray.batch_get_traces(TraceIds=[trace])["Traces"]
    return [each["Id"] for found in traces for each in found["Segments"]]


def quota(xray: Any, client: str) -> int:
    told = {"RuleName": "Default", "ClientID": client, "Timestamp": 0, "RequestCount": 1, "SampledCount": 0}
    (target,) = xray.get_sampling_targets(SamplingStatisticsDocuments=[told])["SamplingTargetDocuments"]
    return int(target["ReservoirQuota"])


def test_an_application_that_is_gone_leaves_its_quota_to_others(standing: Standing) -> None:
    xray = standing.account().client("xray")
    assert [quota(xray, "a" * 24), quota(xray, "b" * 24)] == [1, 0]
    standing.advance("1d")
    assert quota(xray, "b" * 24) == 1
    told = xray.get_sampling_statistic_summaries()["SamplingStatisticSummaries"]
    assert [each["RequestCount"] for each in told] == [1]


def test_traces_are_kept_for_30_days(standing: Standing) -> None:
    xray = standing.account().client("xray")
    old = segment(trace_id(_NOON + 86_400))
    assert put(xray, old) == []
    standing.advance("20d")
    late = segment(old["trace_id"], name="late")
    assert put(xray, late) == []
    standing.advance("9d")
    assert sorted(known(xray, old["trace_id"])) == sorted([old["id"], late["id"]])
    standing.advance("2d")
    assert eventually(lambda: known(xray, old["trace_id"]), lambda ids: len(ids) < 2) == [late["id"]]
    standing.advance("20d")
    assert eventually(lambda: known(xray, old["trace_id"]), lambda ids: not ids) == []
    begin = old["start_time"]
    answer = xray.get_trace_summaries(StartTime=begin - 60, EndTime=begin + 60)
    assert (answer["TraceSummaries"], answer["TracesProcessedCount"]) == ([], 0)


def test_what_was_accepted_survives_a_crash(tmp_path: Path) -> None:
    sent = segment(trace_id())
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, "123456789012")
        assert put(aws.client("xray"), sent) == []
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        xray = Aws(server.endpoint, "123456789012").client("xray")
        (found,) = xray.batch_get_traces(TraceIds=[sent["trace_id"]])["Traces"]
        assert [json.loads(each["Document"]) for each in found["Segments"]] == [sent]
