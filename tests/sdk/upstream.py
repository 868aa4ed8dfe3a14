"""A scripted provider: it speaks raw bytes, and what it says is chosen by the model that is asked for.

The model is `SCRIPT` or `SCRIPT:MARK`, behind `MODEL--` where the name of a real one matters; the mark only tells the
requests of one test from those of another. The scripts are in scripts.py; a path that begins with the name of a vendor
is answered in that vendor's format, as vendors.py says, one that begins with `/vectors` as vectors.py says, and one that
begins with `/carried` as carried.py says. What came in and how it ended is told at `GET /journal?model=SCRIPT:MARK`; with
`&ended=N` the answer waits until N requests have ended. What a conversation of several rounds shall say is told before at
`POST /plan?model=MODEL`, as plans.py says.
"""

import asyncio
import json
import time
import urllib.parse
from dataclasses import dataclass, field

import carried
import plans
import scripts
import vectors
import vendors

LONGEST_WAIT_SECONDS = 10
# What OpenAI sends beside the answer. The cookie and the server's name must not reach the application.
HEADERS = (
    b"date: Fri, 20 Nov 2026 10:00:00 GMT\r\n"
    b"openai-version: 2020-10-01\r\nopenai-organization: org-1\r\nopenai-processing-ms: 413\r\n"
    b"x-request-id: req_scripted_0001\r\n"
    b"x-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\n"
    b"set-cookie: __cf_bm=secret; path=/; HttpOnly\r\nserver: cloudflare\r\n"
)
REASONS = {200: b"OK", 400: b"Bad Request", 401: b"Unauthorized", 403: b"Forbidden", 404: b"Not Found",
           409: b"Conflict", 422: b"Unprocessable Entity", 429: b"Too Many Requests",
           500: b"Internal Server Error", 503: b"Service Unavailable", 529: b"Overloaded"}


@dataclass
class Request:
    """One request as it came, how many came before it for the same model, and how it ended: `answered`, `left` (the
    other side closed) or None so far."""

    method: str
    path: str
    headers: dict
    body: str
    received_at: float
    ended: str | None = None
    fields: dict = field(default_factory=dict)
    earlier: int = 0

    @property
    def model(self):
        # Without a gateway between, the provider's name still stands before the model's.
        named = self.fields.get("model") or vendors.model_of(self.path) or ""
        return str(named).rpartition("/")[2]

    @property
    def script(self):
        return self.model.partition(":")[0].rpartition("--")[2]

    def told(self):
        """What the journal shows."""
        return {"method": self.method, "path": self.path, "headers": self.headers, "body": self.body,
                "fields": self.fields, "received_at": self.received_at, "ended": self.ended}


class Connection:
    """One connection, and what was read of the next request while the last one was still being answered."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.early = b""

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def whole(self, body, status=200, headers=b"", announced=None):
        """An answer in one piece; `announced` is its length where that is not the truth."""
        head = b"HTTP/1.1 %d %s\r\n" % (status, REASONS[status])
        length = len(body) if announced is None else announced
        content = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % length
        await self.send(head + HEADERS + headers + content + body)

    async def stream_head(self, content_type=b"text/event-stream; charset=utf-8"):
        await self.send(b"HTTP/1.1 200 OK\r\n" + HEADERS + b"content-type: " + content_type + b"\r\n"
                        b"transfer-encoding: chunked\r\n\r\n")

    async def chunk(self, data):
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def stream_end(self):
        await self.send(b"0\r\n\r\n")

    async def events(self, events, content_type=b"text/event-stream; charset=utf-8"):
        await self.stream_head(content_type)
        for event in events:
            await self.chunk(event)
        await self.stream_end()

    def reset(self):
        self.writer.transport.abort()


class Journal:
    """What came in, in order."""

    def __init__(self):
        self.requests = []
        self.changed = asyncio.Event()

    def end(self, request, how):
        request.ended = how
        self.changed.set()
        self.changed = asyncio.Event()

    def of(self, model):
        return [request for request in self.requests if request.model == model]

    async def ended(self, model, number):
        """The requests for a model, once `number` of them have ended."""
        async with asyncio.timeout(LONGEST_WAIT_SECONDS):
            while sum(request.ended is not None for request in self.of(model)) < number:
                await self.changed.wait()
        return self.of(model)


JOURNAL = Journal()


async def read_request(connection):
    """One request, or None where the other side closed instead."""
    early, connection.early = connection.early, b""
    try:
        head = early + await connection.reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await read_body(connection.reader, headers)
    if carried.is_carried(path):
        return Request(method, path, headers, "", time.monotonic(), fields=carried.fields_of(headers, body))
    request = Request(method, path, headers, body.decode(), time.monotonic())
    if body:
        request.fields = json.loads(body)
    return request


async def read_body(reader, headers):
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


async def tell_journal(request, connection):
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
    model, number = query["model"][0], int(query.get("ended", ["0"])[0])
    try:
        found = await JOURNAL.ended(model, number)
    except TimeoutError:
        found = JOURNAL.of(model)
    await connection.whole(json.dumps([request.told() for request in found]).encode())


async def take_plan(request, connection):
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
    plans.PLANS[query["model"][0]] = request.fields
    await connection.whole(b"{}")


async def perform(request, connection):
    """Plays the script while watching whether the other side is still there; returns how it ended."""
    script = (carried.script_of(request) or vectors.script_of(request) or vendors.script_of(request)
              or scripts.script_of(request))
    playing = asyncio.ensure_future(script(request, connection))
    watching = asyncio.ensure_future(connection.reader.read(1))
    await asyncio.wait([playing, watching], return_when=asyncio.FIRST_COMPLETED)
    left = not playing.done()
    playing.cancel()
    watching.cancel()
    played, watched = await asyncio.gather(playing, watching, return_exceptions=True)
    if isinstance(watched, bytes):
        connection.early = watched
    if left or isinstance(played, ConnectionError):
        return "left"
    if isinstance(played, Exception):
        raise played
    return "answered"


async def serve(reader, writer):
    """One connection: requests one after the other."""
    connection = Connection(reader, writer)
    try:
        while request := await read_request(connection):
            if request.path.startswith("/journal"):
                await tell_journal(request, connection)
                continue
            if request.path.startswith("/plan"):
                await take_plan(request, connection)
                continue
            request.earlier = len(JOURNAL.of(request.model))
            JOURNAL.requests.append(request)
            how = await perform(request, connection)
            JOURNAL.end(request, how)
            if how == "left" or request.script in scripts.CLOSING | vendors.CLOSING:
                return
    except (ConnectionError, asyncio.CancelledError):
        # The other side is gone, or the suite is over.
        pass
    finally:
        writer.close()


async def start():
    """Starts to serve; returns the port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 24)
    return server, server.sockets[0].getsockname()[1]
