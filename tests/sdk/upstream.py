"""A scripted provider: it speaks raw bytes, and what it says is chosen by the model that is asked for.

The model is `SCRIPT` or `SCRIPT:MARK`; the mark only tells the requests of one test from those of another. Scripts are
listed in SCRIPTS, bodies lie in the folder answers. What came in and how it ended is told at
`GET /journal?model=SCRIPT:MARK`; with `&ended=N` the answer waits until N requests have ended.
"""

import asyncio
import base64
import json
import math
import pathlib
import struct
import time
import urllib.parse
from dataclasses import dataclass, field

ANSWERS = pathlib.Path(__file__).parent / "answers"
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
           500: b"Internal Server Error", 503: b"Service Unavailable"}


@dataclass
class Request:
    """One request as it came, and how it ended: `answered`, `left` (the other side closed) or None so far."""

    method: str
    path: str
    headers: dict
    body: str
    received_at: float
    ended: str | None = None
    fields: dict = field(default_factory=dict)

    @property
    def model(self):
        # Without a gateway between, the provider's name still stands before the model's.
        return str(self.fields.get("model", "")).rpartition("/")[2]

    @property
    def script(self):
        return self.model.partition(":")[0]

    def told(self):
        """What the journal shows."""
        return {"method": self.method, "path": self.path, "headers": self.headers, "body": self.body,
                "received_at": self.received_at, "ended": self.ended}


class Connection:
    """One connection, and what was read of the next request while the last one was still being answered."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.early = b""

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def whole(self, body, status=200, headers=b""):
        head = b"HTTP/1.1 %d %s\r\n" % (status, REASONS[status])
        length = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        await self.send(head + HEADERS + headers + length + body)

    async def stream_head(self):
        await self.send(b"HTTP/1.1 200 OK\r\n" + HEADERS + b"content-type: text/event-stream; charset=utf-8\r\n"
                        b"transfer-encoding: chunked\r\n\r\n")

    async def chunk(self, data):
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def stream_end(self):
        await self.send(b"0\r\n\r\n")

    async def events(self, events):
        await self.stream_head()
        for event in events:
            await self.chunk(event)
        await self.stream_end()

    def reset(self):
        self.writer.transport.abort()


def answer(name):
    return (ANSWERS / name).read_bytes()


def events(name, request):
    """The events of a recorded stream; as OpenAI does, usage is only told to those who ask."""
    found = [event + b"\n\n" for event in answer(name).split(b"\n\n") if event]
    if (request.fields.get("stream_options") or {}).get("include_usage"):
        return found
    return [event.replace(b',"usage":null', b"") for event in found if b'"choices":[],' not in event]


async def chat(request, connection):
    if request.fields.get("stream"):
        await connection.events(events("chat.sse", request))
    else:
        await connection.whole(answer("chat.json"))


async def chat_in_crumbs(request, connection):
    """The same stream in pieces that respect neither events nor characters."""
    data = b"".join(events("chat.sse", request))
    await connection.events(data[start:start + 7] for start in range(0, len(data), 7))


async def chat_in_crlf(request, connection):
    """The same stream with the other line ending, comments and an event type: all of it allowed by the standard."""
    found = [event.replace(b"\n", b"\r\n") for event in events("chat.sse", request)]
    await connection.events([b": ping\r\n\r\n", found[0], b": ping\r\n\r\n", *found[1:]])


async def echo(request, connection):
    """Answers with the last message, in as many chunks as it has words; nobody else may see it."""
    text = request.fields["messages"][-1]["content"]
    if not request.fields.get("stream"):
        await asyncio.sleep(0.05)
        body = json.loads(answer("chat.json"))
        body["choices"][0]["message"]["content"] = text
        return await connection.whole(json.dumps(body).encode())
    first, *_ = events("chat.sse", request)
    await connection.stream_head()
    for word in text.split(" "):
        chunk = json.loads(first.removeprefix(b"data: "))
        chunk["choices"][0]["delta"] = {"content": word + " "}
        await connection.chunk(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        await asyncio.sleep(0.01)
    for event in events("chat.sse", request)[-3:]:
        await connection.chunk(event)
    await connection.stream_end()


async def tools(request, connection):
    """Two calls at once, then one with their results, then the answer."""
    results = sum(message["role"] == "tool" for message in request.fields["messages"])
    if results == 0 and request.fields.get("stream"):
        return await connection.events(events("tool-calls.sse", request))
    name = {0: "tool-calls.json", 2: "tool-calls-again.json"}.get(results, "tool-answer.json")
    await connection.whole(answer(name))


async def structured(request, connection):
    if request.fields.get("stream"):
        await connection.events(events("structured.sse", request))
    else:
        await connection.whole(answer("structured.json"))


async def refusal(_, connection):
    await connection.whole(answer("refusal.json"))


async def completion(request, connection):
    if request.fields.get("stream"):
        await connection.events(events("completion.sse", request))
    else:
        await connection.whole(answer("completion.json"))


async def embedding(request, connection):
    """One vector for each input, in the encoding that was asked for."""
    inputs = request.fields["input"] if isinstance(request.fields["input"], list) else [request.fields["input"]]
    data = []
    for index, _ in enumerate(inputs):
        vector = [math.sin(index + place) for place in range(8)]
        if request.fields.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack("<8f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    body = {"object": "list", "data": data, "model": "text-embedding-3-small",
            "usage": {"prompt_tokens": 8, "total_tokens": 8}}
    await connection.whole(json.dumps(body).encode())


async def fail(request, connection):
    """`error-NNN`: the status and OpenAI's body for it."""
    status = int(request.script.removeprefix("error-"))
    headers = b"retry-after: 20\r\nretry-after-ms: 20000\r\n" if status == 429 else b""
    await connection.whole(answer(f"error-{status}.json"), status, headers)


async def busy_once(request, connection):
    """Refuses the first request of a mark for a second and serves the second."""
    first = JOURNAL.of(request.model)[0] is request
    if first:
        await connection.whole(answer("error-429.json"), 429, b"retry-after: 1\r\n")
    else:
        await connection.whole(answer("chat.json"))


async def silent(_, connection):
    """Takes the request and says nothing."""
    await asyncio.Event().wait()


async def endless(request, connection):
    """A stream that ends only when the other side has had enough."""
    await connection.stream_head()
    first, second, *_ = events("chat.sse", request)
    await connection.chunk(first)
    while True:
        await connection.chunk(second)
        await asyncio.sleep(0.02)


async def stalled(request, connection):
    """A stream that stops in the middle, with the connection open."""
    await connection.stream_head()
    for event in events("chat.sse", request)[:3]:
        await connection.chunk(event)
    await asyncio.Event().wait()


async def cut_stream(request, connection):
    """A stream whose connection closes in the middle."""
    await connection.stream_head()
    for event in events("chat.sse", request)[:4]:
        await connection.chunk(event)


async def reset_stream(request, connection):
    """A stream whose connection is reset in the middle."""
    await cut_stream(request, connection)
    await asyncio.sleep(0.05)
    connection.reset()


async def short_stream(request, connection):
    """A stream that ends in order as far as HTTP goes, but in the middle of the answer."""
    await cut_stream(request, connection)
    await connection.stream_end()


async def cut_body(_, connection):
    """A whole answer that is announced longer than it comes."""
    body = answer("chat.json")
    await connection.send(b"HTTP/1.1 200 OK\r\n" + HEADERS + b"content-type: application/json\r\n"
                          b"content-length: %d\r\n\r\n" % len(body) + body[: len(body) // 2])


async def error_in_stream(request, connection):
    """A failure that the provider tells inside a stream which had begun well."""
    error = json.dumps(json.loads(answer("error-500.json"))).encode()
    await connection.events([*events("chat.sse", request)[:4], b"data: " + error + b"\n\n"])


async def not_json(_, connection):
    await connection.whole(b"<html><body><h1>502 Bad Gateway</h1></body></html>")


async def unknown_model(_, connection):
    await connection.whole(answer("error-404.json"), 404)


SCRIPTS = {
    "chat": chat, "gpt-4o-mini": chat, "chat-in-crumbs": chat_in_crumbs, "chat-in-crlf": chat_in_crlf, "echo": echo,
    "tools": tools, "structured": structured, "refusal": refusal, "completion": completion, "embedding": embedding,
    "busy-once": busy_once, "silent": silent, "endless": endless, "stalled": stalled, "cut-stream": cut_stream,
    "reset-stream": reset_stream, "short-stream": short_stream, "cut-body": cut_body,
    "error-in-stream": error_in_stream, "not-json": not_json,
}
# After these the connection is not fit for another request.
CLOSING = {"cut-stream", "reset-stream", "cut-body"}


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


def script_of(request):
    if request.script.startswith("error-") and request.script[6:].isdigit():
        return fail
    return SCRIPTS.get(request.script, unknown_model)


async def perform(request, connection):
    """Plays the script while watching whether the other side is still there; returns how it ended."""
    playing = asyncio.ensure_future(script_of(request)(request, connection))
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
            JOURNAL.requests.append(request)
            how = await perform(request, connection)
            JOURNAL.end(request, how)
            if how == "left" or request.script in CLOSING:
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
