"""Chromium, as Debian has it, without a window; and pages for it to look at."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from tests.e2e.client import installed

_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1500,1100",
    # All names are this machine, so that a page can be from elsewhere; the proxies of the environment are not asked.
    "--host-resolver-rules=MAP * 127.0.0.1",
    "--no-proxy-server",
)
PATIENCE_SECONDS = 60


@contextmanager
def chromium(folder: Path) -> Iterator[Chrome]:
    """Run a browser whose own files are in `folder` until the end of the `with` block."""
    options = ChromeOptions()
    options.binary_location = installed("chromium")
    for option in (*_OPTIONS, f"--user-data-dir={folder}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with Chrome(options, Service(installed("chromedriver"))) as browser:
        browser.set_page_load_timeout(PATIENCE_SECONDS)
        browser.set_script_timeout(PATIENCE_SECONDS)
        yield browser


class Pages:
    """A server of pages, by their paths."""

    def __init__(self) -> None:
        self._pages: dict[str, str] = {}
        pages = self._pages

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = pages.get(self.path.partition("?")[0])
                self.send_response(404 if content is None else 200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((content or "").encode())

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def origin(self, host: str = "localhost") -> str:
        """Return the origin of its pages, under one of the names that lead to it."""
        return f"http://{host}:{self.server.server_port}"

    def add(self, path: str, content: str) -> None:
        self._pages[path] = f"<!doctype html><html lang=en><meta charset=utf-8><title>A page</title>{content}"


@contextmanager
def pages() -> Iterator[Pages]:
    """Serve pages until the end of the `with` block."""
    served = Pages()
    served.add("/", "")
    threading.Thread(target=served.server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield served
    finally:
        served.server.shutdown()
        served.server.server_close()


def fetched(browser: Chrome, url: str, options: Mapping[str, object] | None = None) -> dict[str, object]:
    """Let the page that is shown fetch something; return its `status`, `text` and `headers`, or that it `failed`.

    A page is not told why it may not have an answer.
    """
    script = """
        const [url, options, done] = arguments;
        fetch(url, options).then(async answer => done({
            status: answer.status,
            text: answer.type == "opaque" ? null : await answer.text(),
            headers: Object.fromEntries(answer.headers),
        })).catch(error => done({failed: String(error)}));
    """
    answer: dict[str, object] = browser.execute_async_script(script, url, dict(options or {}))
    return answer
