"""Segment documents: what they must have, and what is wrong with those that do not.

Developer guide, "AWS X-Ray segment documents".
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

MOST_BYTES = 64 * 1024
_TRACE_ID = re.compile(r"1-([0-9a-fA-F]{8})-[0-9a-fA-F]{24}")
_BARE_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")
_ID = re.compile(r"[0-9a-fA-F]{16}")
_NAME = re.compile(r"[\w\s.:/%&#=+\\\-@]{1,200}")
_LONGEST_ANNOTATION = 1000
_MOST_ANNOTATIONS = 50
_LARGEST_NUMBER = 1e300
_DEEPEST = 100
_OBJECTS: Final = ("http", "aws", "sql", "service", "annotations", "metadata")
_FLAGS: Final = ("in_progress", "error", "throttle", "fault", "inferred")
_TEXTS: Final = ("user", "origin", "namespace", "resource_arn")


class BadDocument(Exception):
    """A document that is not taken: AWS's code, and the id of the segment, where it has one."""

    def __init__(self, code: str, identity: str | None = None) -> None:
        super().__init__(f"Invalid segment. ErrorCode: {code}")
        self.code = code
        self.identity = identity


class Document(msgspec.Struct, frozen=True):
    """A segment, or a subsegment that was sent alone. Times are in seconds since the epoch."""

    trace_id: str
    id: str
    text: str
    start: float
    end: float | None
    parsed: dict[str, Any]
    is_w3c: bool = False
    """Whether its trace's id came as W3C writes it: it may be random as a whole."""


def trace_time(trace_id: str) -> int | None:
    """Return the time that a trace's id tells, in seconds since the epoch; None for what is no id of a trace."""
    match = _TRACE_ID.fullmatch(trace_id)
    return None if match is None else int(match[1], 16)


def parse(text: str, most_bytes: int = MOST_BYTES) -> Document:
    """Return what a document says. Raises BadDocument."""
    try:
        raw = text.encode()
        parsed = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        raise BadDocument("ParseError") from None
    if not isinstance(parsed, dict):
        raise BadDocument("MissingId" if isinstance(parsed, list) else "ParseError")
    identity = parsed.get("id") if isinstance(parsed.get("id"), str) else None
    if len(raw) > most_bytes:
        raise BadDocument("SegmentTooLarge", identity)
    try:
        _check_ids(parsed)
        _check_trace(parsed)
        _check(parsed, 0)
    except _Wrong as wrong:
        raise BadDocument(wrong.code, identity) from None
    is_w3c = _BARE_TRACE_ID.fullmatch(parsed["trace_id"]) is not None
    if is_w3c:
        # An id as W3C writes it is the same one without its version and its hyphens.
        parsed["trace_id"] = f"1-{parsed['trace_id'][:8]}-{parsed['trace_id'][8:]}"
        text = json.dumps(parsed, ensure_ascii=False, separators=(",", ":"))
    return _document(text, parsed, is_w3c=is_w3c)


def stored(raw: bytes) -> Document:
    """Return a document that was once taken."""
    return _document(raw.decode(), msgspec.json.decode(raw))


def _document(text: str, parsed: dict[str, Any], *, is_w3c: bool = False) -> Document:
    end = parsed.get("end_time")
    return Document(
        trace_id=parsed["trace_id"],
        id=parsed["id"],
        text=text,
        start=float(parsed["start_time"]),
        end=None if end is None else float(end),
        parsed=parsed,
        is_w3c=is_w3c,
    )


class _Wrong(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _check_trace(parsed: dict[str, Any]) -> None:
    trace = parsed.get("trace_id")
    if trace is None:
        raise _Wrong("MissingTraceId")
    if not isinstance(trace, str) or not (_TRACE_ID.fullmatch(trace) or _BARE_TRACE_ID.fullmatch(trace)):
        raise _Wrong("InvalidTraceId")
    kind = parsed.get("type")
    if kind not in (None, "subsegment"):
        raise _Wrong("InvalidType")
    if kind == "subsegment" and parsed.get("parent_id") is None:
        raise _Wrong("MissingParentId")


def _check(entity: dict[str, Any], depth: int) -> None:
    """Raise _Wrong for what a segment, or one of its subsegments, cannot be."""
    if depth > _DEEPEST:
        raise _Wrong("ParseError")
    _check_ids(entity)
    _check_times(entity)
    if any(entity.get(name) is not None and not isinstance(entity[name], dict) for name in _OBJECTS):
        raise _Wrong("ParseError")
    if any(entity.get(name) is not None and not isinstance(entity[name], bool) for name in _FLAGS):
        raise _Wrong("ParseError")
    if any(entity.get(name) is not None and not isinstance(entity[name], str) for name in _TEXTS):
        raise _Wrong("ParseError")
    _check_http(entity.get("http") or {})
    _check_annotations(entity.get("annotations") or {})
    parts = entity.get("subsegments") or []
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise _Wrong("ParseError")
    for part in parts:
        _check(part, depth + 1)


def _check_ids(entity: dict[str, Any]) -> None:
    identity, name, parent = entity.get("id"), entity.get("name"), entity.get("parent_id")
    if identity is None:
        raise _Wrong("MissingId")
    if not isinstance(identity, str) or _ID.fullmatch(identity) is None:
        raise _Wrong("InvalidId")
    if not name:
        raise _Wrong("MissingName")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise _Wrong("InvalidName")
    if parent is not None and (not isinstance(parent, str) or _ID.fullmatch(parent) is None):
        raise _Wrong("InvalidParentId")


def _check_times(entity: dict[str, Any]) -> None:
    start, end = entity.get("start_time"), entity.get("end_time")
    if start is None:
        raise _Wrong("MissingStartTime")
    if not _is_time(start):
        raise _Wrong("InvalidStartTime")
    if end is None:
        if entity.get("in_progress") is not True:
            raise _Wrong("MissingEndTime")
    elif not _is_time(end) or end < start:
        raise _Wrong("InvalidEndTime")


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e11


def _check_http(http: dict[str, Any]) -> None:
    request, response = http.get("request") or {}, http.get("response") or {}
    if not isinstance(request, dict) or not isinstance(response, dict):
        raise _Wrong("ParseError")
    if any(not isinstance(request.get(name) or "", str) for name in ("method", "url", "user_agent", "client_ip")):
        raise _Wrong("ParseError")
    status = response.get("status")
    if status is not None and (not isinstance(status, int) or isinstance(status, bool) or not 0 <= status < 1000):
        raise _Wrong("ParseError")


def _check_annotations(annotations: dict[str, Any]) -> None:
    if len(annotations) > _MOST_ANNOTATIONS or not all(
        (isinstance(value, int | float) and abs(value) < _LARGEST_NUMBER)
        or (isinstance(value, str) and len(value) <= _LONGEST_ANNOTATION)
        for value in annotations.values()
    ):
        raise _Wrong("InvalidAnnotation")
