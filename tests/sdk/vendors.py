"""What the scripted provider says in the formats of several vendors: byte for byte what lies in the folder fixtures,
whose files of one name say the same in every format.

Claude at Bedrock is spoken to in Anthropic's format by Anthropic's clients; its streams are those events in frames of
Amazon's.

The script is the name of such a file. One with a tool call in its name is answered by `text` once the request brings a
result. Beside them: `structured`; `mark`, which says the request's mark, that nobody else may see; `error-NNN`; `cut`,
a stream whose connection closes in the middle; `endless`, one that ends when the other side has had enough; and
`plan`, whose rounds a test has told before (see plans.py).
"""

import asyncio
import base64
import json
import pathlib
import urllib.parse
from dataclasses import dataclass

import frames
import plans

FIXTURES = pathlib.Path(__file__).parent.parent.parent / "fixtures"
# How the words of the fixture `text` are cut into a stream, and the words of `structured` that take their places.
WORDS = ["Hel", "lo, wör", 'ld 🌍.\n"Quoted"']
STRUCTURED = ['{"name": "Zoë",', ' "age": ', "7}"]
# How Amazon ends a stream, whosever events it holds.
AMAZONS_BREAKS = ("broken-throttled", "broken-model-error")
# After these the connection is not fit for another request.
CLOSING = {"cut"}


@dataclass(frozen=True)
class Vendor:
    """A format: where its fixtures lie, how a stream of it is written, how a request shows the result of a tool, and
    what its errors are called."""

    folder: str
    result: str
    kinds: dict
    ending: str = "sse"
    content_type: bytes = b"text/event-stream; charset=utf-8"


AMAZONS = {400: "ValidationException", 401: "UnrecognizedClientException", 404: "ResourceNotFoundException",
           429: "ThrottlingException", 500: "InternalServerException", 503: "ServiceUnavailableException"}
AMAZONS_STREAM = b"application/vnd.amazon.eventstream"
# By the name of the provider in the gateway's configuration, which is the first segment of its path.
VENDORS = {
    "open": Vendor("openai_chat", '"role":"tool"', {
        400: "invalid_request_error", 401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded",
        500: "server_error", 503: "overloaded"}),
    "claude": Vendor("anthropic_messages", '"type":"tool_result"', {
        400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error",
        500: "api_error", 529: "overloaded_error"}),
    "gemini": Vendor("gemini", '"functionResponse":', {
        400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL",
        503: "UNAVAILABLE"}),
    "bedrock": Vendor("bedrock_converse", '"toolResult":', AMAZONS, "hex", AMAZONS_STREAM),
    # InvokeModel, which is Bedrock's as well.
    "invoke": Vendor("anthropic_messages", '"type":"tool_result"', AMAZONS, "sse", AMAZONS_STREAM),
    # The last two name no kinds.
    "cohere": Vendor("cohere_chat", '"role":"tool"', {}),
    "ollama": Vendor("ollama_chat", '"role":"tool"', {}, "ndjson", b"application/x-ndjson"),
}


def vendor_of(path):
    vendor, verb = path.split("/")[1], path.rpartition("/")[2]
    if vendor == "bedrock" and verb.startswith("invoke"):
        return "invoke"
    return vendor if vendor in VENDORS else None


def model_of(path):
    """The model that a path names, as Google's and Amazon's do."""
    path = urllib.parse.unquote(urllib.parse.urlsplit(path).path)
    _, google, rest = path.partition("/models/")
    if google:
        return rest.rpartition(":")[0]
    _, amazon, rest = path.partition("/model/")
    return rest.rpartition("/")[0] if amazon else None


def script_of(request):
    """The script for a request in the format of a vendor; None where its path is that of no vendor."""
    vendor = vendor_of(request.path)
    if vendor is None:
        return None
    if request.path.endswith(("/count_tokens", ":countTokens")):
        return count
    if request.script.startswith("error-"):
        return fail
    if "thread" in request.fields:
        return hold_nothing
    return {"cut": cut, "endless": endless, "plan": follow}.get(request.script, say)


async def say(request, connection):
    vendor, name = vendor_of(request.path), request.script
    if "tool-call" in name and results(vendor, request):
        name = "text"
    streamed = is_streamed(request)
    pieces = fixture(vendor, "text" if name in ("structured", "mark") else name, streamed)
    if name == "structured":
        pieces = in_other_words(vendor, pieces, STRUCTURED, streamed)
    if name == "mark":
        mark = request.model.partition(":")[2]
        pieces = in_other_words(vendor, pieces, [mark[:2], mark[2:5], mark[5:]], streamed)
        await asyncio.sleep(0.05)
    await send(vendor, pieces, streamed, connection)


async def follow(request, connection):
    """The round of the plan that the results in the request have come to."""
    vendor, streamed = vendor_of(request.path), is_streamed(request)
    pieces = plans.pieces("claude" if vendor == "invoke" else vendor, request, results(vendor, request), streamed)
    await send(vendor, pieces, streamed, connection)


async def send(vendor, pieces, streamed, connection):
    if streamed:
        await connection.events((sent(vendor, piece) for piece in pieces), VENDORS[vendor].content_type)
    else:
        await connection.whole(b"".join(pieces))


async def count(request, connection):
    """How many tokens a request has; not every vendor tells."""
    answers = {"claude": {"input_tokens": 20}, "gemini": {"totalTokens": 20}}
    answer = answers.get(vendor_of(request.path))
    await connection.whole(json.dumps(answer or {"error": {"message": "no such path"}}).encode(), 200 if answer else 404)


async def hold_nothing(_, connection):
    """Anthropic's answer where the server is asked to hold the conversation and cannot."""
    details = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
    error = {"type": "invalid_request_error", "message": "thread: not supported for this request", "details": details}
    await connection.whole(json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode(), 400)


async def cut(request, connection):
    """The first half of a stream, and then the connection closes without a word."""
    vendor = vendor_of(request.path)
    await connection.stream_head(VENDORS[vendor].content_type)
    pieces = fixture(vendor, "text", streamed=True)
    for piece in pieces[: max(len(pieces) // 2, 2)]:
        await connection.chunk(sent(vendor, piece))


async def endless(request, connection):
    """The beginning of a stream, and then the same words again and again."""
    vendor = vendor_of(request.path)
    await connection.stream_head(VENDORS[vendor].content_type)
    for piece in fixture(vendor, "text", streamed=True):
        await connection.chunk(sent(vendor, piece))
        while json.dumps(WORDS[0]).encode() in piece:
            await connection.chunk(sent(vendor, piece))
            await asyncio.sleep(0.02)


async def fail(request, connection):
    vendor, status = vendor_of(request.path), int(request.script.removeprefix("error-"))
    vendor = "bedrock" if vendor == "invoke" else vendor
    kind, words = VENDORS[vendor].kinds.get(status), f"The words of {vendor} for {status}."
    error = {
        "open": {"error": {"message": words, "type": kind, "param": None, "code": kind}},
        "claude": {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"},
        "gemini": {"error": {"code": status, "message": words, "status": kind}},
        "bedrock": {"message": words},
        "cohere": {"id": "c14c80c3", "message": words},
        "ollama": {"error": words},
    }[vendor]
    headers = b"retry-after: 20\r\n" if status == 429 else b""
    if vendor == "bedrock":
        headers += f"x-amzn-errortype: {kind}:http://internal.amazon.com/coral/\r\n".encode()
        # Amazon refuses a key with this status.
        status = 403 if status == 401 else status
    await connection.whole(json.dumps(error).encode(), status, headers)


def is_streamed(request):
    return bool(request.fields.get("stream")) or "streamGenerateContent" in request.path \
        or request.path.endswith(("/converse-stream", "/invoke-with-response-stream"))


def fixture(vendor, name, streamed):
    """A fixture in the pieces in which it is sent; a whole answer is one."""
    if vendor == "invoke" and name in AMAZONS_BREAKS:
        pieces = fixture(vendor, "text", streamed)
        return [*pieces[: len(pieces) // 2], fixture("bedrock", name, streamed)[-1]]
    vendor = VENDORS[vendor]
    folder, ending = ("streams", vendor.ending) if streamed else ("answers", "json")
    body = (FIXTURES / vendor.folder / folder / f"{name}.{ending}").read_bytes()
    if ending == "json":
        return [body]
    if ending == "hex":
        return frames.of_hex(body)
    end = b"\n" if ending == "ndjson" else b"\n\n"
    return [piece + end for piece in body.split(end) if piece]


def sent(vendor, piece):
    """A piece of a stream as it is sent: Amazon puts Anthropic's events into frames."""
    if vendor != "invoke" or not piece.startswith((b"event:", b"data:")):
        return piece
    data = b"".join(line.removeprefix(b"data:").strip() for line in piece.split(b"\n") if line.startswith(b"data:"))
    return frames.event("chunk", {"bytes": base64.b64encode(data).decode()})


def results(vendor, request):
    """How many results of tools are in a request."""
    return json.dumps(request.fields, separators=(",", ":")).count(VENDORS[vendor].result)


def in_other_words(vendor, pieces, words, streamed):
    """The fixture `text`, made to say something else."""
    pairs = zip(WORDS, words) if streamed else [("".join(WORDS), "".join(words))]
    pairs = [[json.dumps(words, ensure_ascii=False).encode() for words in pair] for pair in pairs]
    assert all(any(before in piece for piece in pieces) for before, _ in pairs), "the fixture has changed"
    return [replaced(vendor, piece, pairs, streamed) for piece in pieces]


def replaced(vendor, piece, pairs, streamed):
    headers, payload = frames.read(piece) if vendor == "bedrock" and streamed else (None, piece)
    for before, after in pairs:
        payload = payload.replace(before, after)
    return payload if headers is None else frames.frame(headers, payload)
