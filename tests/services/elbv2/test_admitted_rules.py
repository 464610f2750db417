"""Rules that the control plane admits, whatever they are, are such as Envoy takes."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.elbv2 import actions, conditions
from tests.services.elbv2.envoys import Envoy, answer, make_listener, make_rule, make_view
from tests.sizes import examples

_PIECES = (
    "a", "b", ".", "*", "+", "?", "(", ")", "|", "^", "$", "[a-z]", "[^/]", "\\d", "\\w", "\\b", "\\.", "\\+", "{2}",
    "{2,}", "{1,3}", "(?:", "(?i)", "(?P<n>", "(?=", "(?<!", "(?>", "\\1", "/", "-", "%", "&", "=", '"', "'", "é",
    "\\Z", "\\A", "[", "]", "\\", "{", "}", "++", "*?", "\\p{L}", "\\x41", "\\u00e9", "[[:alpha:]]", "\\Q", "#", " ",
)  # fmt: skip
_regexes = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=8).map("".join)
_patterns = st.text(st.sampled_from("ab01/*?.-_$~\"'@:+& =[]()\\{}^|%é"), min_size=1, max_size=12)
_hosts = st.text(st.sampled_from("ab0*?.-"), min_size=1, max_size=12)


def _make_values(field: str, member: str, values: st.SearchStrategy[Any], **more: Any) -> st.SearchStrategy[Any]:
    lists = st.lists(values, min_size=1, max_size=2)
    return lists.map(lambda found: {"Field": field, member: {"Values": found, **more}})


def _make_regexes(field: str, member: str, **more: Any) -> st.SearchStrategy[Any]:
    return _regexes.map(lambda found: {"Field": field, member: {"RegexValues": [found], **more}})


_conditions = st.one_of(
    _make_values("path-pattern", "PathPatternConfig", _patterns),
    _make_values("host-header", "HostHeaderConfig", _hosts),
    _make_values("http-header", "HttpHeaderConfig", _patterns, HttpHeaderName="x-a"),
    _make_values("http-request-method", "HttpRequestMethodConfig", st.sampled_from(("GET", "A-B", "X_Y"))),
    _make_values("source-ip", "SourceIpConfig", st.sampled_from(("10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"))),
    _make_values(
        "query-string",
        "QueryStringConfig",
        st.one_of(
            st.builds(lambda key, value: {"Key": key, "Value": value}, _patterns, _patterns),
            _patterns.map(lambda value: {"Value": value}),
        ),
    ),
    _make_regexes("path-pattern", "PathPatternConfig"),
    _make_regexes("host-header", "HostHeaderConfig"),
    _make_regexes("http-header", "HttpHeaderConfig", HttpHeaderName="x-a"),
)
_texts = st.text(st.sampled_from("ab/%$#{}\\\"' é\n:"), max_size=10)
_redirects = st.builds(
    lambda path, query, port: {
        "Type": "redirect",
        "RedirectConfig": {"StatusCode": "HTTP_302", "Path": f"/{path}", "Query": query, "Port": port},
    },
    st.one_of(_texts, st.just("#{path}/#{host}")),
    st.one_of(_texts, st.just("a=#{query}&b=#{protocol}")),
    st.sampled_from(("81", "#{port}")),
)
_answers = st.builds(
    lambda body, code: {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": code, "MessageBody": body}},
    _texts,
    st.sampled_from(("200", "404", "503")),
)
_transforms: st.SearchStrategy[list[dict[str, Any]]] = st.one_of(
    st.just([]),
    st.builds(
        lambda regex, text: [
            {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": regex, "Replace": text}]}}
        ],
        _regexes,
        st.sampled_from(("/b", "/$1", "$0", "$", "\\1", "%")),
    ),
)
_rules = st.tuples(_conditions, st.one_of(_redirects, _answers), _transforms)


@given(found=st.lists(_rules, min_size=1, max_size=20))
@settings(max_examples=examples(200))
def test_envoy_takes_what_is_admitted(envoy: Envoy, found: list[tuple[Any, Any, Any]]) -> None:
    rules = []
    for number, (condition, action, transforms) in enumerate(found, 1):
        try:
            parsed = list(conditions.parse([condition], "application"))
            done = actions.parse([action], "HTTP").actions
            changed = list(conditions.parse_transforms(transforms))
        except AwsError:
            continue
        rules.append(make_rule(number, parsed, *done, Transforms=changed))
    envoy.apply(make_view(make_listener(answer(418), rules=rules)))
