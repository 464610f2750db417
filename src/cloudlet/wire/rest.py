"""What rest-json and rest-xml share: parameters in paths, query strings and headers."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from cloudlet.wire.errors import InvalidRequest, InvalidResult, Violation
from cloudlet.wire.forms import parse_pairs
from cloudlet.wire.http import HttpRequest
from cloudlet.wire.routes import split_path
from cloudlet.wire.scalars import NotConvertible, from_text, to_text
from cloudlet.wire.shapes import Ref, Shape
from cloudlet.wire.trees import unexpected

if TYPE_CHECKING:
    from cloudlet.wire.operation import Operation

Headers = list[tuple[str, str]]

_CHECKSUM: Final = re.compile(r"x-amz-checksum-(?!mode|algorithm|type).*|x-amz-sdk-checksum-algorithm")
_REQUEST_LOCATIONS: Final = frozenset({"uri", "querystring", "header", "headers"})
_RESPONSE_LOCATIONS: Final = frozenset({"header", "headers", "statusCode"})
_SIGNATURE: Final = frozenset(
    {
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    }
)
_LABEL: Final = re.compile(r"\{([^{}+]+)(\+?)\}")


def request_body_members(shape: Shape) -> dict[str, Ref]:
    """Return the members of an input that travel in the body's document."""
    return {name: ref for name, ref in shape.members.items() if ref.location not in _REQUEST_LOCATIONS}


def body_members(shape: Shape) -> dict[str, Ref]:
    """Return the members of an output or an error that travel in the body's document."""
    return {name: ref for name, ref in shape.members.items() if ref.location not in _RESPONSE_LOCATIONS}


_BROKEN: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def decode_label(text: str) -> str:
    """Return a part of a path decoded; raise `InvalidRequest` if it is not encoded rightly, or not UTF-8."""
    if "%" not in text:
        return text
    if _BROKEN.search(text):
        raise InvalidRequest("InvalidURI", "Couldn't parse the specified URI.")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeError:
        raise InvalidRequest("InvalidURI", "Couldn't parse the specified URI.") from None


class RequestReader:
    """Reads the parameters of an operation that are outside of the body."""

    def __init__(self, operation: Operation, shape: Shape) -> None:
        self._labels: list[tuple[int, int | None, str, Callable[[str], Any]]] = []
        self._query: list[tuple[str, str, Callable[[list[str]], Any]]] = []
        self._query_maps: list[tuple[str, Ref]] = []
        self._headers: dict[str, tuple[str, Callable[[str], Any]]] = {}
        self._named: set[str] = set()
        self._header_maps: list[tuple[str, str]] = []
        self._host = host_pattern(operation)
        self._is_s3 = operation.service.name == "s3"
        by_label = {}
        for name, ref in shape.members.items():
            wire = name if ref.wire_name is None else ref.wire_name
            if ref.location == "uri":
                by_label[wire] = (name, from_text(ref))
            elif ref.location == "querystring":
                self._add_query(name, wire, ref)
            elif ref.location == "header":
                self._headers[wire.lower()] = (name, _header_reader(ref))
            elif ref.location == "headers":
                self._header_maps.append((wire.lower(), name))
        path, _, static = operation.uri.partition("?")
        self._named |= {part.partition("=")[0] for part in static.split("&") if part}
        segments = split_path(path.rstrip("/"))
        self._greedy = any(segment.endswith("+}") for segment in segments)
        self._length = len(segments)
        for position, segment in enumerate(segments):
            match = _LABEL.fullmatch(segment)
            if match and match[1] in by_label:
                end = position + 1 - len(segments) or None if match[2] else position + 1
                self._labels.append((position, end, *by_label[match[1]]))

    def _add_query(self, name: str, wire: str, ref: Ref) -> None:
        kind = ref.shape.kind
        if kind == "map":
            self._query_maps.append((name, ref))
            return
        self._named.add(wire)
        if kind == "list":
            read = from_text(ref.shape.element)
            self._query.append((wire, name, lambda values: [read(value) for value in values]))
        else:
            read_one = from_text(ref)
            self._query.append((wire, name, lambda values: read_one(values[0])))

    def read(self, request: HttpRequest, params: dict[str, Any]) -> None:
        """Add to `params` what path, query string, headers and host say."""
        wire = ""
        try:
            if self._labels:
                segments = self._segments(request.path)
                for position, end, name, read in self._labels:
                    wire = name
                    text = "/".join(segments[position:end])
                    # S3 takes a plus in a path for a space, as in a query string (seen on AWS: aws-sdk-cpp #110,
                    # aws-sdk-java #2128, aws-sdk-ruby #654).
                    params[name] = read(decode_label(text.replace("+", " ") if self._is_s3 else text))
            if request.query and (self._query or self._query_maps):
                values: dict[str, list[str]] = {}
                for key, value in parse_pairs(request.query):
                    values.setdefault(key, []).append(value)
                for wire, name, read_values in self._query:
                    found = values.get(wire)
                    if found is not None:
                        params[name] = read_values(found)
                for name, ref in self._query_maps:
                    params_map = self._query_map(values, ref)
                    if params_map:
                        params[name] = params_map
            headers = request.headers
            # Presigned URLs carry in their query string what would have been headers.
            if request.query and self._is_s3:
                headers = {**_hoisted(request.query), **headers}
            # A request has few headers, and may have many more.
            known = self._headers
            for wire, text_value in headers.items():
                header = known.get(wire)
                if header is not None:
                    params[header[0]] = header[1](text_value)
        except NotConvertible as error:
            value = str(error)[:200]
            text = f"The value '{value}' of {wire} cannot be understood"
            raise InvalidRequest(
                "SerializationException", text, [Violation(wire, "type", value, None, wire, text)], status=400
            ) from None
        for prefix, name in self._header_maps:
            found_map = {
                key[len(prefix) :]: value for key, value in headers.items() if key.startswith(prefix) and key != prefix
            }
            if found_map:
                params[name] = found_map
        if self._host is not None:
            _read_host(self._host, request, params)

    def _segments(self, path: str) -> list[str]:
        segments = split_path(path)
        if self._greedy:
            return segments
        # A slash at the end means nothing, and what comes before the template is the endpoint's own path.
        while segments and not segments[-1]:
            segments.pop()
        before = len(segments) - self._length
        if before < 0:
            raise InvalidRequest("InvalidURI", "Couldn't parse the specified URI.", status=400)
        return segments[before:]

    def _query_map(self, values: dict[str, list[str]], ref: Ref) -> dict[str, Any]:
        lists = ref.shape.value.shape.kind == "list"
        return {
            key: found if lists else found[0]
            for key, found in values.items()
            if key not in self._named and key not in _SIGNATURE
        }


def _hoisted(query: str) -> dict[str, str]:
    """Return the headers that a presigned URL carries, but for checksums of the body, in Latin-1 as headers are read.

    S3 does not look for checksums there (aws-sdk #480), and the SDK for JavaScript adds that of an empty body.
    """
    found = {key.lower(): value for key, value in parse_pairs(query) if key[:6].lower() == "x-amz-"}
    return {
        name: value if value.isascii() else value.encode().decode("latin-1")
        for name, value in found.items()
        if not _CHECKSUM.fullmatch(name)
    }


def host_pattern(operation: Operation) -> re.Pattern[str] | None:
    """Return the pattern of the host's labels that are parameters, if there are any."""
    prefix = operation.host_prefix
    shape = operation.input_shape
    if prefix is None or "{" not in prefix or shape is None:
        return None
    return re.compile("".join(_host_part(part) for part in re.split(r"(\{\w+\})", prefix)))


def _host_part(part: str) -> str:
    return f"(?P<{part[1:-1]}>[A-Za-z0-9.-]+?)" if part.startswith("{") else re.escape(part)


def _read_host(pattern: re.Pattern[str], request: HttpRequest, params: dict[str, Any]) -> None:
    match = pattern.match(request.headers.get("host", ""))
    if match is not None:
        for name, value in match.groupdict().items():
            params.setdefault(name, value)


def _header_reader(ref: Ref) -> Callable[[str], Any]:
    shape = ref.shape
    if ref.json_value:
        return _json_header
    if shape.kind == "list":
        element = from_text(shape.element, "rfc822")
        is_date = shape.element.shape.kind == "timestamp" and shape.element.timestamp_format in (None, "rfc822")
        split = _split_dates if is_date else split_list
        return lambda text: [element(part) for part in split(text)]
    return from_text(ref, "rfc822")


def _json_header(text: str) -> Any:
    try:
        return msgspec.json.decode(b64decode(text.encode("ascii"), validate=True))
    except (ValueError, RecursionError):
        raise NotConvertible(text) from None


_QUOTED: Final = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*?))\s*(?:,|\Z)')


def split_list(text: str) -> list[str]:
    """Return the elements of a header with a list, of which some may be quoted."""
    if '"' not in text:
        return [part.strip() for part in text.split(",")] if text else []
    parts = []
    position = 0
    while position < len(text):
        match = _QUOTED.match(text, position)
        if match is None:
            raise NotConvertible(text)
        quoted = match[1]
        parts.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match[2])
        position = match.end()
    return parts


def _split_dates(text: str) -> list[str]:
    # A date has a comma of its own, after the day of the week.
    parts = text.split(",")
    if len(parts) % 2:
        return [part.strip() for part in parts]
    return [f"{parts[i].strip()}, {parts[i + 1].strip()}" for i in range(0, len(parts), 2)]


class ResponseHeads:
    """Writes the members of a result that are outside of the body."""

    def __init__(self, status: int, shape: Shape | None) -> None:
        self._status = status
        self._status_member: str | None = None
        self._headers: dict[str, tuple[str, Callable[[Any], str | None]]] = {}
        self._header_maps: list[tuple[str, str]] = []
        members = shape.members if shape is not None else {}
        for name, ref in members.items():
            wire = name if ref.wire_name is None else ref.wire_name
            if ref.location == "statusCode":
                self._status_member = name
            elif ref.location == "header":
                self._headers[name] = (wire, _header_writer(ref))
            elif ref.location == "headers":
                self._header_maps.append((wire, name))

    def write(self, result: Mapping[str, Any], headers: Headers) -> int:
        """Append the headers of a result and return its status."""
        known = self._headers
        for name, value in result.items():
            header = known.get(name)
            if header is not None and value is not None:
                text = header[1](value)
                if text is not None:
                    headers.append((header[0], text))
        for prefix, name in self._header_maps:
            values = result.get(name)
            if values is not None:
                if not isinstance(values, Mapping):
                    raise InvalidResult(f"{name} must be a map")
                headers.extend([(prefix + key, str(value)) for key, value in values.items()])
        if self._status_member is not None and result.get(self._status_member) is not None:
            return int(result[self._status_member])
        return self._status


def _header_writer(ref: Ref) -> Callable[[Any], str | None]:
    shape = ref.shape
    if ref.json_value:
        return lambda value: b64encode(msgspec.json.encode(value)).decode("ascii")
    if shape.kind == "list":
        write = to_text(shape.element, "rfc822")
        quotes = shape.element.shape.kind == "string"

        def write_list(value: Any) -> str | None:
            if not isinstance(value, list | tuple):
                raise unexpected(shape, value)
            parts = [write(item) for item in value if item is not None]
            return ", ".join(_quoted(part) if quotes else part for part in parts) if parts else None

        return write_list
    return to_text(ref, "rfc822")


def _quoted(text: str) -> str:
    if '"' in text or "," in text:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return text
