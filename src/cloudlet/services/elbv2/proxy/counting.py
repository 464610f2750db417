"""Counters that Envoy has beside its own.

They tell who answered how, in which time, after how many rules. A log of requests to the block
costs a fifth of a request's time; counters in Envoy cost next to nothing.
"""

from __future__ import annotations

import json
from typing import Any, Final

from cloudlet.engines.envoy.resource_parts import make_extension
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import names
from cloudlet.services.elbv2.proxy.view import Listener

_STATISTICS: Final = "envoy.extensions.access_loggers.stats.v3.Config"
PREFIX: Final = "elb"
"""The beginning of the names of these counters; the listener's id follows."""
ANSWERS: Final = "answers"
"""A counter of all responses but the successes of targets, and perhaps of these."""
TIME: Final = "time"
"""A histogram of the microseconds until targets answered."""
CLOSES: Final = "closes"
"""A counter of connections to a Network Load Balancer that have ended."""
STATUS: Final = "status"
GROUP: Final = "group"
FLAGS: Final = "flags"
ACTIONS: Final = "actions"
RULES: Final = "rules"
"""A tag: how many rules were looked at."""
BY_CLIENT: Final = "client"
BY_TARGET: Final = "target"
"""Tags: how the side of the client, and of the target, was closed."""
REMOTE_RESET: Final = "RemoteReset"
LOCAL_RESET: Final = "LocalReset"
_TAGS: Final = {
    STATUS: "%RESPONSE_CODE%",
    GROUP: "%UPSTREAM_CLUSTER_RAW%",
    FLAGS: "%RESPONSE_FLAGS%",
    ACTIONS: f"%METADATA(ROUTE:{names.METADATA}:actions)%",
    RULES: f"%METADATA(ROUTE:{names.METADATA}:{names.EVALUATED})%",
    BY_CLIENT: "%DOWNSTREAM_DETECTED_CLOSE_TYPE%",
    BY_TARGET: "%UPSTREAM_DETECTED_CLOSE_TYPE%",
}
_ANSWER_TAGS: Final = (STATUS, GROUP, FLAGS, ACTIONS, RULES)
_TIMES: Final = json.dumps(
    {
        "operators": [
            {"command": "COMMON_DURATION", "param": f"{begin}:US_RX_BEG:us"} for begin in ("US_TX_END", "US_TX_BEG")
        ]
    }
)
"""The time since a request was sent; where a target answers earlier, since its begin."""
_FIRST_COUNTED: Final = 300


def get_id(listener: Listener) -> str:
    """Return the id by which counters name a listener."""
    return listener.arn.rpartition("/")[2]


def make_answer_counter(listener: Listener) -> Resource:
    """Return the log that counts responses of the load balancer's own, and errors of targets."""
    counter = {"stat": {"name": ANSWERS, "tags": _make_tags(*_ANSWER_TAGS)}, "value_fixed": 1}
    made = _make_logger(listener, counters=[counter])
    if _answers_with_success(listener):
        return made
    # What targets have answered is counted with their time. A client that leaves gets the status 0.
    counted = {"or_filter": {"filters": [_compare("GE", _FIRST_COUNTED), _compare("EQ", 0)]}}
    return {**made, "filter": counted}


def make_target_counter(listener: Listener) -> Resource:
    """Return the log of the router that measures the time of targets which have answered."""
    tags = (GROUP, STATUS, RULES) if listener.rules else (GROUP, STATUS)
    time = {
        "stat": {"name": TIME, "tags": _make_tags(*tags)},
        "unit": "Microseconds",
        "value_format": f"%COALESCE({_TIMES})%",
    }
    return {**_make_logger(listener, histograms=[time]), "filter": _compare("GE", 1)}


def make_close_counter(listener: Listener) -> Resource:
    """Return the log that counts connections by how they have ended."""
    closes = {"stat": {"name": CLOSES, "tags": _make_tags(BY_CLIENT, BY_TARGET)}, "value_fixed": 1}
    return _make_logger(listener, counters=[closes])


def _answers_with_success(listener: Listener) -> bool:
    """Whether fixed responses of a listener have statuses as targets' successes have."""
    actions = [*listener.description["DefaultActions"], *(each for rule in listener.rules for each in rule["Actions"])]
    fixed = [each["FixedResponseConfig"] for each in actions if each["Type"] == "fixed-response"]
    return any(int(each["StatusCode"]) < _FIRST_COUNTED for each in fixed)


def _make_logger(listener: Listener, **fields: Any) -> Resource:
    return make_extension("counters", _STATISTICS, stat_prefix=f"{PREFIX}.{get_id(listener)}", **fields)


def _make_tags(*tags: str) -> list[Resource]:
    return [{"name": each, "value_format": _TAGS[each]} for each in tags]


def _compare(operator: str, status: int) -> Resource:
    value = {"default_value": status, "runtime_key": f"{names.METADATA}.status"}
    return {"status_code_filter": {"comparison": {"op": operator, "value": value}}}
