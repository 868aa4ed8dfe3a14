"""What the scripted provider says in the formats of several vendors: byte for byte what lies in the folder fixtures,
whose files of one name say the same in every format.

The script is the name of such a file. One with a tool call in its name is answered by `text` once the request brings a
result. Beside them: `structured`; `mark`, which says the request's mark, that nobody else may see; `error-NNN`; `cut`,
a stream whose connection closes in the middle; and `endless`, one that ends when the other side has had enough.
"""

import asyncio
import json
import pathlib
import urllib.parse

FIXTURES = pathlib.Path(__file__).parent.parent.parent / "fixtures"
# The name of a provider in the gateway's configuration and the first segment of its path: the format that is spoken.
DIALECTS = {"open": "openai_chat", "claude": "anthropic_messages", "gemini": "gemini"}
RESULTS = {"open": '"role":"tool"', "claude": '"type":"tool_result"', "gemini": '"functionResponse":'}
# How the words of the fixture `text` are cut into a stream, and the words of `structured` that take their places.
WORDS = ["Hel", "lo, wör", 'ld 🌍.\n"Quoted"']
STRUCTURED = ['{"name": "Zoë",', ' "age": ', "7}"]
KINDS = {
    "open": {400: "invalid_request_error", 401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded",
             500: "server_error", 503: "overloaded"},
    "claude": {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error",
               429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"},
    "gemini": {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
               500: "INTERNAL", 503: "UNAVAILABLE"},
}
# After these the connection is not fit for another request.
CLOSING = {"cut"}


def vendor_of(path):
    vendor = path.split("/")[1]
    return vendor if vendor in DIALECTS else None


def model_of(path):
    """The model that a path names, as Google's do."""
    path = urllib.parse.unquote(urllib.parse.urlsplit(path).path)
    _, found, rest = path.partition("/models/")
    return rest.rpartition(":")[0] if found else None


def script_of(request):
    """The script for a request in the format of a vendor; None where its path is that of no vendor."""
    vendor = vendor_of(request.path)
    if vendor is None:
        return None
    if request.path.endswith(("/count_tokens", ":countTokens")):
        return count
    if request.script.startswith("error-"):
        return fail
    return {"cut": cut, "endless": endless}.get(request.script, say)


async def say(request, connection):
    vendor, name = vendor_of(request.path), request.script
    if "tool-call" in name and has_results(vendor, request):
        name = "text"
    streamed = request.fields.get("stream") or "streamGenerateContent" in request.path
    body = fixture(vendor, "text" if name in ("structured", "mark") else name, streamed)
    if name == "structured":
        body = in_other_words(body, STRUCTURED, streamed)
    if name == "mark":
        mark = request.model.partition(":")[2]
        body = in_other_words(body, [mark[:2], mark[2:5], mark[5:]], streamed)
        await asyncio.sleep(0.05)
    if not streamed:
        return await connection.whole(body)
    await connection.events(event + b"\n\n" for event in body.split(b"\n\n") if event)


async def count(request, connection):
    """How many tokens a request has; not every vendor tells."""
    answers = {"claude": {"input_tokens": 20}, "gemini": {"totalTokens": 20}}
    answer = answers.get(vendor_of(request.path))
    await connection.whole(json.dumps(answer or {"error": {"message": "no such path"}}).encode(), 200 if answer else 404)


async def cut(request, connection):
    """The first half of a stream, and then the connection closes without a word."""
    await connection.stream_head()
    events = fixture(vendor_of(request.path), "text", streamed=True).split(b"\n\n")
    for event in events[: len(events) // 2]:
        await connection.chunk(event + b"\n\n")


async def endless(request, connection):
    """The beginning of a stream, and then the same words again and again."""
    await connection.stream_head()
    for event in fixture(vendor_of(request.path), "text", streamed=True).split(b"\n\n"):
        await connection.chunk(event + b"\n\n")
        while json.dumps(WORDS[0]).encode() in event:
            await connection.chunk(event + b"\n\n")
            await asyncio.sleep(0.02)


async def fail(request, connection):
    vendor, status = vendor_of(request.path), int(request.script.removeprefix("error-"))
    kind, words = KINDS[vendor][status], f"The words of {vendor} for {status}."
    error = {
        "open": {"error": {"message": words, "type": kind, "param": None, "code": kind}},
        "claude": {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"},
        "gemini": {"error": {"code": status, "message": words, "status": kind}},
    }[vendor]
    headers = b"retry-after: 20\r\n" if status == 429 else b""
    await connection.whole(json.dumps(error).encode(), status, headers)


def fixture(vendor, name, streamed):
    folder, ending = ("streams", "sse") if streamed else ("answers", "json")
    return (FIXTURES / DIALECTS[vendor] / folder / f"{name}.{ending}").read_bytes()


def has_results(vendor, request):
    return RESULTS[vendor] in json.dumps(request.fields, separators=(",", ":"))


def in_other_words(body, words, streamed):
    """The fixture `text`, made to say something else."""
    pairs = zip(WORDS, words) if streamed else [("".join(WORDS), "".join(words))]
    for before, after in pairs:
        before, after = (json.dumps(words, ensure_ascii=False).encode() for words in (before, after))
        assert before in body, "the fixture has changed"
        body = body.replace(before, after)
    return body
