"""What the scripted provider can say. A script gets a request and answers it with the raw bytes that a provider sends,
well or badly. Bodies lie in the folder answers.
"""

import asyncio
import base64
import json
import math
import pathlib
import struct

ANSWERS = pathlib.Path(__file__).parent / "answers"


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
    """The same stream with the other line ending, and with comments: both are allowed by the standard."""
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
    if request.earlier == 0:
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
    await connection.whole(body[: len(body) // 2], announced=len(body))


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


def script_of(request):
    """The script that a request's model names."""
    if request.script.startswith("error-") and request.script[6:].isdigit():
        return fail
    return SCRIPTS.get(request.script, unknown_model)
