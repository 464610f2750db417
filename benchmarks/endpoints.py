"""HTTP endpoints that are subscribed to a topic: one that answers at once, and one that never does."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.network import free_port

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Endpoint:
    """Notes when each message came; keeps the tokens that confirm its subscription."""

    def __init__(self, *, answers: bool) -> None:
        self.url = f"http://127.0.0.1:{free_port()}/"
        self.came: dict[str, float] = {}
        """The moment (time.perf_counter) at which a message came first, by its text."""
        self.tokens: list[str] = []
        self._answers = answers

    async def serve(self) -> None:
        """Serves until cancelled."""
        server = await asyncio.start_server(self._converse, "127.0.0.1", int(self.url.split(":")[2].strip("/")))
        async with server:
            await server.serve_forever()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.partition("content-length:")[2].partition("\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                if body["Type"] == "SubscriptionConfirmation":
                    self.tokens.append(body["Token"])
                else:
                    self.came.setdefault(body["Message"], time.perf_counter())
                    if not self._answers:
                        await asyncio.sleep(3600)
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@contextmanager
def serving(*endpoints: Endpoint) -> Iterator[None]:
    """Serves endpoints in a thread of their own."""
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        tasks = [asyncio.create_task(endpoint.serve()) for endpoint in endpoints]
        await over.wait()
        tasks += asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Waits until a condition holds; whether it did."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
