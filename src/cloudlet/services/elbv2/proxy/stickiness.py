"""Sessions that stay with targets or target groups by cookies (user guide, "Sticky sessions")."""

from __future__ import annotations

from typing import Final

from cloudlet.engines.envoy.resource_parts import make_extension
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import names
from cloudlet.services.elbv2.proxy.conditions import match_regex
from cloudlet.services.elbv2.proxy.resources import make_header, make_route_filter
from cloudlet.services.elbv2.proxy.view import Attributes

_COOKIE_SECONDS: Final = 7 * 86400
_FILTER: Final = "envoy.extensions.filters.http.stateful_session.v3.StatefulSession"
_PER_ROUTE: Final = "envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute"
_COOKIE: Final = "envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState"
_LUA: Final = "envoy.extensions.filters.http.lua.v3.Lua"
_CROSS_ORIGIN: Final = [{"name": "SameSite", "value": "None"}, {"name": "Secure"}]
_OWN, _CROSS, _APPLICATION, _ONLY_IF_SET = "sticky", "sticky-cors", "sticky-application", "sticky-if-set"
_APPLICATION_COOKIE: Final = "AWSALBAPP-0"
_DROP_COOKIE: Final = f"""
function envoy_on_response(handle)
  local wanted = handle:filterContext():get("cookie") .. "="
  local headers, kept, is_set = handle:headers(), {{}}, false
  for index = 0, headers:getNumValues("set-cookie") - 1 do
    local value = headers:getAtIndex("set-cookie", index)
    if value:sub(1, #wanted) == wanted then is_set = true end
    if value:sub(1, {len(_APPLICATION_COOKIE) + 1}) ~= "{_APPLICATION_COOKIE}=" then table.insert(kept, value) end
  end
  if not is_set and #kept < headers:getNumValues("set-cookie") then
    headers:remove("set-cookie")
    for _, value in ipairs(kept) do headers:add("set-cookie", value) end
  end
end
"""
"""A filter that drops the load balancer's cookie where the application has set none."""


def make_filters() -> list[Resource]:
    """Return the filters by which requests stay with targets; routes that want them have them."""
    lua = make_extension(_ONLY_IF_SET, _LUA, source_codes={_ONLY_IF_SET: {"inline_string": _DROP_COOKIE}})
    sessions = [make_extension(name, _FILTER) for name in (_CROSS, _OWN, _APPLICATION)]
    return [{**each, "disabled": True} for each in (lua, *sessions)]


def make_route_filters(attributes: Attributes) -> Resource:
    """Return what a route to a target group has of these filters."""
    if attributes.get("stickiness.enabled") != "true":
        return {}
    if attributes.get("stickiness.type") == "app_cookie":
        cookie = attributes["stickiness.app_cookie.cookie_name"]
        only = make_route_filter(f"{_LUA}PerRoute", name=_ONLY_IF_SET, filter_context={"cookie": cookie})
        seconds = attributes["stickiness.app_cookie.duration_seconds"]
        return {_APPLICATION: _make_session(_APPLICATION_COOKIE, seconds), _ONLY_IF_SET: only}
    seconds = attributes["stickiness.lb_cookie.duration_seconds"]
    cross = _make_session("AWSALBCORS", seconds, attributes=_CROSS_ORIGIN)
    return {_OWN: _make_session("AWSALB", seconds), _CROSS: cross}


def _make_session(name: str, seconds: str, **more: object) -> Resource:
    cookie = {"name": name, "path": "/", "ttl": f"{seconds}s", **more}
    session = {"session_state": make_extension("envoy.http.stateful_session.cookie", _COOKIE, cookie=cookie)}
    return make_route_filter(_PER_ROUTE, stateful_session=session)


def match_group(arn: str) -> Resource:
    """Return the predicate that holds for a session that stays with a target group."""
    return match_regex("cookie", f"(?:.*; ?)?AWSALBTG(?:CORS)?={names.make_cookie_value(arn)}(?:;.*)?")


def make_group_cookies(arn: str, seconds: int) -> list[Resource]:
    """Return the headers by which a session stays with a target group."""
    cookie = f"={names.make_cookie_value(arn)}; Max-Age={seconds}; Path=/"
    return [
        make_header("set-cookie", f"AWSALBTG{cookie}", "APPEND_IF_EXISTS_OR_ADD"),
        make_header("set-cookie", f"AWSALBTGCORS{cookie}; SameSite=None; Secure", "APPEND_IF_EXISTS_OR_ADD"),
    ]
