"""How the heads of responses are written."""

import pytest

from cloudlet.edge.heads import response_head
from cloudlet.wire import HttpResponse


def lines_of(response: HttpResponse, *, keep_alive: bool = True) -> list[str]:
    """Return the lines of a response's head, but for its date."""
    head = response_head(response, keep_alive).decode()
    assert head.endswith("\r\n\r\n")
    first, date, *rest = head.removesuffix("\r\n\r\n").split("\r\n")
    assert date.startswith("date: ")
    return [first, *rest]


def test_a_head_has_the_bodys_length() -> None:
    answered = HttpResponse(200, [("a", "1"), ("b", "two: 2")], b"three")
    assert lines_of(answered) == ["HTTP/1.1 200 OK", "a: 1", "b: two: 2", "content-length: 5"]
    assert lines_of(answered, keep_alive=False)[-1] == "connection: close"
    assert lines_of(HttpResponse(204, [], b"")) == ["HTTP/1.1 204 No Content"]
    assert lines_of(HttpResponse(299, [("Content-Length", "7")], b"")) == ["HTTP/1.1 299 Status", "Content-Length: 7"]


@pytest.mark.parametrize("ends", ["\r\n", "\n", "\r", "\0", "\n\n", "\r\r"])
def test_no_header_ends_its_line(ends: str) -> None:
    instead = " " * len(ends)
    stored = HttpResponse(200, [("a", f"1{ends}set-cookie: b"), (f"c{ends}d", "2"), ("e", "3")], b"")
    wanted = [f"a: 1{instead}set-cookie: b", f"c{instead}d: 2", "e: 3", "content-length: 0"]
    assert lines_of(stored)[1:] == wanted
