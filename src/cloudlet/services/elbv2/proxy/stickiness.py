"""Sessions that stay with targets or target groups by cookies (user guide, "Sticky sessions")."""

from __future__ import annotations

from typing import Final

from cloudlet.engines.envoy.resource_parts import make_extension
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import names
from cloudlet.services.elbv2.proxy.conditions import match_regex
from cloudlet.services.elbv2.proxy.resources import make_route_filter
from cloudlet.services.elbv2.proxy.view import Attributes

_COOKIE_SECONDS: Final = 7 * 86400
_FILTER: Final = "envoy.extensions.filters.http.stateful_session.v3.StatefulSession"
_PER_ROUTE: Final = "envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute"
_COOKIE: Final = "envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState"
_LUA: Final = "envoy.extensions.filters.http.lua.v3.Lua"
_CROSS_MARKS: Final = "; SameSite=None; Secure"
_CROSS_ORIGIN: Final = [{"name": "SameSite", "value": "None"}, {"name": "Secure"}]
_OWN, _CROSS, _APPLICATION, _COOKIES = "sticky", "sticky-cors", "sticky-application", "sticky-cookies"
_OWN_COOKIE, _CROSS_COOKIE, _APPLICATION_COOKIE = "AWSALB", "AWSALBCORS", "AWSALBAPP-0"
_CHANGE_COOKIES: Final = f"""
local function find(cookies, name)
  return ("; " .. cookies):match("; ?" .. name:gsub("%-", "%%-") .. "=([^;]*)")
end
local function tell_end(seconds)
  return "Expires=" .. os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + seconds)
end
function envoy_on_request(handle)
  local cookies = handle:headers():get("cookie")
  if not cookies then return end
  for name in handle:filterContext():get("names"):gmatch("%S+") do
    local value = find(cookies, name)
    if value then handle:streamInfo():dynamicMetadata():set("{names.METADATA}", name, value) end
  end
end
function envoy_on_response(handle)
  local context, headers, sent = handle:filterContext(), handle:headers(), {{}}
  local wanted = context:get("cookie")
  local is_wanted, has_own = wanted == "", {{}}
  for index = 1, headers:getNumValues("set-cookie") do
    sent[index] = headers:getAtIndex("set-cookie", index - 1)
    is_wanted = is_wanted or sent[index]:sub(1, #wanted + 1) == wanted .. "="
    has_own[sent[index]:match("^[^=]*")] = true
  end
  headers:remove("set-cookie")
  for _, value in ipairs(sent) do
    if value:sub(1, 6) == "AWSALB" then
      value = value:gsub("Max%-Age=(%d+)", function(seconds) return tell_end(tonumber(seconds)) end)
    end
    if is_wanted or value:sub(1, {len(_APPLICATION_COOKIE) + 1}) ~= "{_APPLICATION_COOKIE}=" then
      headers:add("set-cookie", value)
    end
  end
  local known = handle:streamInfo():dynamicMetadata():get("{names.METADATA}") or {{}}
  for name in context:get("names"):gmatch("%S+") do
    if is_wanted and not has_own[name] and known[name] then
      headers:add("set-cookie", name .. "=" .. known[name] .. "; " .. tell_end(tonumber(context:get("seconds")))
        .. "; Path=/; HttpOnly" .. (name == "{_CROSS_COOKIE}" and "{_CROSS_MARKS}" or ""))
    end
  end
  if context:get("group") ~= "" then
    local cookie = "=" .. context:get("group") .. "; " .. tell_end(tonumber(context:get("group_seconds"))) .. "; Path=/"
    headers:add("set-cookie", "AWSALBTG" .. cookie)
    headers:add("set-cookie", "AWSALBTGCORS" .. cookie .. "{_CROSS_MARKS}")
  end
end
"""
"""A filter that sets and renews the load balancer's cookies, and tells when they end.

Envoy sets its own ones when a session begins alone. Where an application's cookie is waited for, and that one was not
set, they are dropped.
"""


def make_filters() -> list[Resource]:
    """Return the filters by which requests stay with targets; routes that want them have them."""
    lua = make_extension(
        _COOKIES, _LUA, source_codes={_COOKIES: {"inline_string": _CHANGE_COOKIES}}, clear_route_cache=False
    )
    sessions = [make_extension(name, _FILTER) for name in (_CROSS, _OWN, _APPLICATION)]
    return [{**each, "disabled": True} for each in (lua, *sessions)]


def make_route_filters(arn: str, attributes: Attributes, group_seconds: int) -> Resource:
    """Return what a route to a target group has of these filters.

    Sessions stay with the group itself for some seconds, if there are any.
    """
    cookie = {"group": names.make_cookie_value(arn), "group_seconds": str(group_seconds)} if group_seconds else {}
    if attributes.get("stickiness.enabled") != "true":
        return {_COOKIES: _make_changes(**cookie)} if cookie else {}
    if attributes.get("stickiness.type") == "app_cookie":
        seconds = attributes["stickiness.app_cookie.duration_seconds"]
        cookie["cookie"] = attributes["stickiness.app_cookie.cookie_name"]
        changes = _make_changes(_APPLICATION_COOKIE, seconds=seconds, **cookie)
        return {_APPLICATION: _make_session(_APPLICATION_COOKIE, seconds), _COOKIES: changes}
    seconds = attributes["stickiness.lb_cookie.duration_seconds"]
    return {
        _OWN: _make_session(_OWN_COOKIE, seconds),
        _CROSS: _make_session(_CROSS_COOKIE, seconds, attributes=_CROSS_ORIGIN),
        _COOKIES: _make_changes(_OWN_COOKIE, _CROSS_COOKIE, seconds=seconds, **cookie),
    }


def _make_changes(*cookies: str, **more: str) -> Resource:
    context = {"names": " ".join(cookies), "cookie": "", "group": "", **more}
    return make_route_filter(f"{_LUA}PerRoute", name=_COOKIES, filter_context=context)


def _make_session(name: str, seconds: str, **more: object) -> Resource:
    cookie = {"name": name, "path": "/", "ttl": f"{seconds}s", **more}
    session = {"session_state": make_extension("envoy.http.stateful_session.cookie", _COOKIE, cookie=cookie)}
    return make_route_filter(_PER_ROUTE, stateful_session=session)


def match_group(arn: str) -> Resource:
    """Return the predicate that holds for a session that stays with a target group."""
    return match_regex("cookie", f"(?:.*; ?)?AWSALBTG(?:CORS)?={names.make_cookie_value(arn)}(?:;.*)?")
