"""What all benchmarks of deliveries to queues share: a request is sent again and again, until all is in the queues."""

import time
from collections.abc import Mapping, Sequence

from benchmarks import wrk
from benchmarks.scenarios import CONNECTIONS, Meter, Server, Speed, Wrong

DELIVERED_SECONDS = 20.0
"""By then all must be in the queues."""


def deliver(
    server: Server, headers: Mapping[str, str], body: bytes, messages: int, urls: Sequence[str], seconds: int
) -> Speed:
    """Send a signed request by wrk that brings `messages` into each of the queues at `urls`, which are empty.

    The figure is deliveries, by the time until the last one is in its queue.
    Wrong where a queue has too few or too many.
    """
    meter = Meter(server.process)
    began = time.perf_counter()
    with meter:
        report = wrk.run(server.api.host, headers, body, CONNECTIONS, seconds)
        published = report.requests * messages
        for url in urls:
            _wait_for_messages(server, url, published)
    took = time.perf_counter() - began
    # What wrk had under way when its time was over is there too, or not.
    most = published + CONNECTIONS * messages
    for url in urls:
        count = server.api.count_messages(url)
        if not published <= count <= most:
            raise Wrong(f"{count} messages in a queue, and there should be {published} to {most}")
    deliveries = published * len(urls)
    return meter.speed(deliveries, 0, took, report.p50_ms, report.p99_ms)


def _wait_for_messages(server: Server, url: str, count: int) -> None:
    end = time.monotonic() + DELIVERED_SECONDS
    while (found := server.api.count_messages(url)) < count:
        if time.monotonic() > end:
            raise Wrong(f"{found} of {count} messages were in a queue after {DELIVERED_SECONDS:.0f} s")
        time.sleep(0.01)
