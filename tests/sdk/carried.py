"""What the scripted provider says of operations that a gateway carries: moderations, pictures, audio, files, batches, and
Mistral's own. A path that begins with `/carried` is answered here, whatever the model.

What counts is what came: of a form the journal shows each field, and of a file in it the name, the type, the length and
the SHA-256; of fields of one name a list.
"""

import base64
import email.parser
import hashlib
import json
import secrets
import urllib.parse

PICTURE = b"\x89PNG\r\n\x1a\nscripted"
SPEECH = bytes(range(256)) * 1000
SPEECH_PIECE_BYTES = 10_000
DRAWN = {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11,
         "input_tokens_details": {"text_tokens": 5, "image_tokens": 0}}
TRANSCRIPT = "What was said."
EVENT_STREAM = b"text/event-stream; charset=utf-8"
# What was uploaded, and the jobs about it.
FILES = {}
BATCHES = {}
UPLOADS = {}


def is_carried(path):
    return path.startswith("/carried/")


def fields_of(headers, body):
    """What a body says: the members of JSON, or the fields of a form."""
    kind = headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        fields = {}
        for name, value in form(kind, body):
            fields.setdefault(name, []).append(value)
        return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}
    return json.loads(body) if body and kind.startswith("application/json") else {}


def form(kind, body):
    message = email.parser.BytesParser().parsebytes(b"content-type: " + kind.encode() + b"\r\n\r\n" + body)
    for part in message.get_payload():
        data = part.get_payload(decode=True)
        name, file = (part.get_param(what, header="content-disposition") for what in ("name", "filename"))
        yield name, data.decode() if file is None else {
            "filename": file, "type": part.get_content_type(), "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest()}


def script_of(request):
    """The script for such a path; None for any other."""
    if not is_carried(request.path):
        return None
    names = urllib.parse.urlsplit(request.path).path.split("/")[3:]
    return SCRIPTS.get("/".join(names)) or SCRIPTS.get(f"{names[0]}/") or not_there


async def moderate(request, connection):
    texts = request.fields["input"]
    texts = texts if isinstance(texts, list) else [texts]
    results = [{"flagged": "harm" in text, "categories": {"violence": "harm" in text},
                "category_scores": {"violence": 0.9 if "harm" in text else 0.1}} for text in texts]
    await say(connection, {"id": "modr-1", "model": request.model, "results": results})


async def moderate_chat(request, connection):
    """Mistral's: a list of messages, or of lists of them."""
    await say(connection, {"id": "modr-2", "model": request.model, "results": [
        {"categories": {"violence_and_threats": False}, "category_scores": {"violence_and_threats": 0.1}}]})


async def embed(request, connection):
    """Mistral's, which are OpenAI's with kinds of numbers."""
    inputs = request.fields["input"]
    vector = [1, -2, 127] if request.fields.get("output_dtype") == "int8" else [0.5, -0.25, 1.0]
    data = [{"object": "embedding", "index": place, "embedding": vector} for place, _ in enumerate(inputs)]
    await say(connection, {"id": "emb-1", "object": "list", "model": request.model, "data": data,
                           "usage": {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}})


async def read_pages(request, connection):
    await say(connection, {"model": request.model, "usage_info": {"pages_processed": 1}, "pages": [
        {"index": 0, "markdown": "# A page", "images": [], "dimensions": None}]})


async def draw(request, connection):
    if request.fields.get("stream") in (True, "true"):
        kind = "image_edit" if request.path.endswith("/edits") else "image_generation"
        told = {"b64_json": base64.b64encode(PICTURE).decode(), "created_at": 1, "size": "auto", "quality": "low",
                "background": "auto", "output_format": "png"}
        events = [{"type": f"{kind}.partial_image", "partial_image_index": 0, **told},
                  {"type": f"{kind}.completed", "usage": DRAWN, **told}]
        return await connection.events([event_of(event) for event in events], EVENT_STREAM)
    await say(connection, {"created": 1, "data": [{"b64_json": base64.b64encode(PICTURE).decode()}], "usage": DRAWN})


async def speak(_, connection):
    await flow(connection, SPEECH, b"audio/mpeg")


async def transcribe(request, connection):
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 4, "total_tokens": 18}
    if request.fields.get("stream") == "true":
        events = [{"type": "transcript.text.delta", "delta": TRANSCRIPT[:5]},
                  {"type": "transcript.text.delta", "delta": TRANSCRIPT[5:]},
                  {"type": "transcript.text.done", "text": TRANSCRIPT, "usage": usage}]
        return await connection.events([event_of(event) for event in events], EVENT_STREAM)
    if request.fields.get("response_format") == "text":
        return await flow(connection, TRANSCRIPT.encode(), b"text/plain; charset=utf-8")
    if request.script.startswith("voxtral"):
        # Mistral's.
        usage = {"prompt_audio_seconds": 2, "prompt_tokens": 14, "completion_tokens": 4, "total_tokens": 18}
        return await say(connection, {"model": request.model, "text": TRANSCRIPT, "language": "en", "segments": [],
                                      "usage": usage})
    segment = {"id": 0, "start": 0.0, "end": 1.5, "text": TRANSCRIPT, "seek": 0, "tokens": [1], "temperature": 0.0,
               "avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.0}
    more = {"language": "english", "duration": 1.5, "segments": [segment]}
    await say(connection, {"text": TRANSCRIPT, "usage": usage,
                           **(more if request.fields.get("response_format") == "verbose_json" else {})})


async def keep_file(request, connection):
    if request.method == "GET":
        return await say(connection, listed(FILES))
    sent = request.fields["file"]
    file = {"id": f"file-{secrets.token_hex(8)}", "object": "file", "bytes": sent["bytes"], "created_at": 1,
            "filename": sent["filename"], "purpose": request.fields["purpose"], "status": "processed"}
    FILES[file["id"]] = file
    await say(connection, file)


async def find_file(request, connection):
    _, _, _, _, file, *rest = request.path.split("/")
    if file not in FILES:
        return await not_there(request, connection)
    if rest:
        return await flow(connection, SPEECH, b"application/octet-stream")
    if request.method == "DELETE":
        del FILES[file]
        return await say(connection, {"id": file, "object": "file", "deleted": True})
    await say(connection, FILES[file])


async def upload(request, connection):
    """A file in parts: begun, given its parts, completed."""
    if request.path.endswith("/uploads"):
        begun = {"id": f"upload_{secrets.token_hex(8)}", "object": "upload", "created_at": 1, "expires_at": 2,
                 "status": "pending", **request.fields}
        UPLOADS[begun["id"]] = begun
        return await say(connection, begun)
    _, _, _, _, found, what = request.path.split("/")
    if found not in UPLOADS:
        return await not_there(request, connection)
    if what == "parts":
        return await say(connection, {"id": f"part_{request.fields['data']['sha256']}", "object": "upload.part",
                                      "created_at": 1, "upload_id": found})
    begun = UPLOADS[found]
    file = {"id": f"file-{secrets.token_hex(8)}", "object": "file", "bytes": begun["bytes"], "created_at": 1,
            "filename": begun["filename"], "purpose": begun["purpose"], "status": "processed"}
    FILES[file["id"]] = file
    await say(connection, {**begun, "status": "completed", "file": file, **request.fields})


async def make_batch(request, connection):
    if request.method == "GET":
        return await say(connection, listed(BATCHES))
    batch = {"id": f"batch_{secrets.token_hex(8)}", "object": "batch", "status": "validating", "created_at": 1,
             "request_counts": {"total": 1, "completed": 0, "failed": 0}, **request.fields}
    BATCHES[batch["id"]] = batch
    await say(connection, batch)


async def find_batch(request, connection):
    _, _, _, _, batch, *rest = request.path.split("/")
    if batch not in BATCHES:
        return await not_there(request, connection)
    if rest:
        BATCHES[batch]["status"] = "cancelling"
    await say(connection, BATCHES[batch])


async def not_there(_, connection):
    error = {"message": "No such thing.", "type": "invalid_request_error", "param": None, "code": None}
    await say(connection, {"error": error}, 404)


def listed(things):
    found = list(reversed(things.values()))
    ids = [thing["id"] for thing in found] or [None]
    return {"object": "list", "data": found, "first_id": ids[0], "last_id": ids[-1], "has_more": False}


async def flow(connection, data, content_type):
    """In pieces, so that nobody who waits for the end of it goes unnoticed."""
    starts = range(0, len(data), SPEECH_PIECE_BYTES)
    await connection.events((data[start:start + SPEECH_PIECE_BYTES] for start in starts), content_type)


def event_of(event):
    return b"data: " + json.dumps(event).encode() + b"\n\n"


async def say(connection, body, status=200):
    await connection.whole(json.dumps(body).encode(), status)


SCRIPTS = {
    "moderations": moderate, "chat/moderations": moderate_chat, "embeddings": embed, "ocr": read_pages,
    "images/generations": draw, "images/edits": draw, "audio/speech": speak, "audio/transcriptions": transcribe,
    "audio/translations": transcribe, "files": keep_file, "files/": find_file, "batches": make_batch,
    "batches/": find_batch, "images/variations": draw, "uploads": upload, "uploads/": upload,
}
