"""What a model says in one round, in the format of each vendor, whole and as a stream: thought, text, calls of tools.
Every format is written by hand from its vendor's documents, with nothing of the gateway's own.
"""

import json
import secrets

import frames

# What Claude and Gemini give out beside their thoughts and want to see again.
SIGNATURE = "RXJVQkNrWUlCQmdDS2tB"


def dumped(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def new_id():
    """Every answer has its own; who names calls by it relies on that."""
    return secrets.token_hex(8)


def halves(text):
    """A text in two pieces, so that a stream has to be put together."""
    return [half for half in (text[: len(text) // 2], text[len(text) // 2 :]) if half]


def finish(said, ended, calls):
    return calls if said["calls"] else ended


# OpenAI's chat completions, and thoughts as DeepSeek and others write them.


def open_whole(said, request):
    message = {"role": "assistant", "content": said["text"] or None}
    if said["thought"]:
        message["reasoning_content"] = said["thought"]
    if said["calls"]:
        message["tool_calls"] = [open_call(call) for call in said["calls"]]
    choice = {"index": 0, "message": message, "finish_reason": finish(said, "stop", "tool_calls"), "logprobs": None}
    return {"id": f"chatcmpl-{new_id()}", "object": "chat.completion", "created": 1790000000, "model": request.model,
            "choices": [choice], "usage": OPEN_USAGE}


def open_stream(said, request):
    deltas = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": half} for half in halves(said["thought"])]
    deltas += [{"content": half} for half in halves(said["text"])]
    for index, call in enumerate(said["calls"]):
        opened = open_call({**call, "arguments": None})
        deltas.append({"tool_calls": [{"index": index, **opened}]})
        for half in halves(dumped(call["arguments"]).decode()):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": half}}]})
    chunk = {"id": f"chatcmpl-{new_id()}", "object": "chat.completion.chunk", "created": 1790000000,
             "model": request.model}
    for delta in deltas:
        yield sse({**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    ended = {"index": 0, "delta": {}, "finish_reason": finish(said, "stop", "tool_calls")}
    yield sse({**chunk, "choices": [ended]})
    if (request.fields.get("stream_options") or {}).get("include_usage"):
        yield sse({**chunk, "choices": [], "usage": OPEN_USAGE})
    yield b"data: [DONE]\n\n"


OPEN_USAGE = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}


def open_call(call):
    arguments = "" if call["arguments"] is None else dumped(call["arguments"]).decode()
    return {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": arguments}}


def sse(data, event=None):
    return (f"event: {event}\n".encode() if event else b"") + b"data: " + dumped(data) + b"\n\n"


# Anthropic's Messages.


def claude_blocks(said):
    if said["thought"]:
        yield {"type": "thinking", "thinking": said["thought"], "signature": SIGNATURE}
    if said["text"]:
        yield {"type": "text", "text": said["text"]}
    for call in said["calls"]:
        yield {"type": "tool_use", "id": f"toolu_{call['id']}", "name": call["name"], "input": call["arguments"]}


def claude_whole(said, request):
    return {"id": f"msg_{new_id()}", "type": "message", "role": "assistant", "model": request.model,
            "content": list(claude_blocks(said)), "stop_reason": finish(said, "end_turn", "tool_use"),
            "stop_sequence": None, "usage": {"input_tokens": 20, "output_tokens": 10}}


def claude_stream(said, request):
    message = {**claude_whole(said, request), "content": [], "stop_reason": None}
    yield claude_event({"type": "message_start", "message": message})
    for index, block in enumerate(claude_blocks(said)):
        name, deltas = claude_deltas(block)
        opened = {**block, name: {} if name == "input" else ""}
        opened.pop("signature", None)
        yield claude_event({"type": "content_block_start", "index": index, "content_block": opened})
        for delta in deltas:
            yield claude_event({"type": "content_block_delta", "index": index, "delta": delta})
        yield claude_event({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": finish(said, "end_turn", "tool_use"), "stop_sequence": None}
    yield claude_event({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 10}})
    yield claude_event({"type": "message_stop"})


def claude_deltas(block):
    """The member of a block that is streamed, and its pieces."""
    if block["type"] == "text":
        return "text", [{"type": "text_delta", "text": half} for half in halves(block["text"])]
    if block["type"] == "tool_use":
        arguments = halves(dumped(block["input"]).decode())
        return "input", [{"type": "input_json_delta", "partial_json": half} for half in arguments]
    thoughts = [{"type": "thinking_delta", "thinking": half} for half in halves(block["thinking"])]
    return "thinking", [*thoughts, {"type": "signature_delta", "signature": block["signature"]}]


def claude_event(data):
    return sse(data, data["type"])


# Google's Gemini.


def gemini_parts(said):
    parts = [{"text": half, "thought": True} for half in halves(said["thought"])]
    parts += [{"text": half} for half in halves(said["text"])]
    for place, call in enumerate(said["calls"]):
        part = {"functionCall": {"name": call["name"], "args": call["arguments"]}}
        # The first of several calls carries the signature.
        parts.append(part if place else {**part, "thoughtSignature": SIGNATURE})
    return parts


def gemini_answer(parts, request, answer_id, finish_reason=None):
    candidate = {"index": 0, "content": {"role": "model", "parts": parts}}
    if finish_reason:
        candidate["finishReason"] = finish_reason
    usage = {"promptTokenCount": 20, "candidatesTokenCount": 10, "totalTokenCount": 30}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": request.model, "responseId": answer_id}


def gemini_whole(said, request):
    return gemini_answer(gemini_parts(said), request, new_id(), "STOP")


def gemini_stream(said, request):
    *parts, last = gemini_parts(said)
    answer_id = new_id()
    for part in parts:
        yield sse(gemini_answer([part], request, answer_id))
    yield sse(gemini_answer([last], request, answer_id, "STOP"))


# Amazon Bedrock's Converse.


def bedrock_blocks(said):
    if said["thought"]:
        yield {"reasoningContent": {"reasoningText": {"text": said["thought"], "signature": SIGNATURE}}}
    if said["text"]:
        yield {"text": said["text"]}
    for call in said["calls"]:
        use = {"toolUseId": f"tooluse_{call['id']}", "name": call["name"], "input": call["arguments"]}
        yield {"toolUse": use}


def bedrock_whole(said, _):
    message = {"role": "assistant", "content": list(bedrock_blocks(said))}
    return {"output": {"message": message}, "stopReason": finish(said, "end_turn", "tool_use"),
            "usage": BEDROCK_USAGE, "metrics": {"latencyMs": 551}}


def bedrock_stream(said, _):
    yield frames.event("messageStart", {"role": "assistant"})
    for index, block in enumerate(bedrock_blocks(said)):
        if use := block.get("toolUse"):
            start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
            yield frames.event("contentBlockStart", {"contentBlockIndex": index, "start": start})
        for delta in bedrock_deltas(block):
            yield frames.event("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})
        yield frames.event("contentBlockStop", {"contentBlockIndex": index})
    yield frames.event("messageStop", {"stopReason": finish(said, "end_turn", "tool_use")})
    yield frames.event("metadata", {"usage": BEDROCK_USAGE, "metrics": {"latencyMs": 551}})


BEDROCK_USAGE = {"inputTokens": 20, "outputTokens": 10, "totalTokens": 30}


def bedrock_deltas(block):
    if "text" in block:
        return [{"text": half} for half in halves(block["text"])]
    if use := block.get("toolUse"):
        return [{"toolUse": {"input": half}} for half in halves(dumped(use["input"]).decode())]
    thoughts = [{"reasoningContent": {"text": half}} for half in halves(said_in(block))]
    return [*thoughts, {"reasoningContent": {"signature": SIGNATURE}}]


def said_in(block):
    return block["reasoningContent"]["reasoningText"]["text"]


# Cohere's chat, second version.


def cohere_contents(said):
    contents = {"thinking": said["thought"], "text": said["text"]}
    return [{"type": kind, kind: content} for kind, content in contents.items() if content]


def cohere_whole(said, _):
    message = {"role": "assistant"}
    if contents := cohere_contents(said):
        message["content"] = contents
    if said["calls"]:
        message["tool_calls"] = [open_call(call) for call in said["calls"]]
    return {"id": new_id(), "finish_reason": finish(said, "COMPLETE", "TOOL_CALL"), "message": message,
            "usage": COHERE_USAGE}


def cohere_stream(said, _):
    started = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield cohere_event("message-start", started, id=new_id())
    for index, content in enumerate(cohere_contents(said)):
        kind = content["type"]
        yield cohere_event("content-start", {"content": {"type": kind, kind: ""}}, index=index)
        for half in halves(content[kind]):
            yield cohere_event("content-delta", {"content": {kind: half}}, index=index)
        yield cohere_event("content-end", None, index=index)
    for index, call in enumerate(said["calls"]):
        yield cohere_event("tool-call-start", {"tool_calls": open_call({**call, "arguments": None})}, index=index)
        for half in halves(dumped(call["arguments"]).decode()):
            yield cohere_event("tool-call-delta", {"tool_calls": {"function": {"arguments": half}}}, index=index)
        yield cohere_event("tool-call-end", None, index=index)
    delta = {"finish_reason": finish(said, "COMPLETE", "TOOL_CALL"), "usage": COHERE_USAGE}
    yield sse({"type": "message-end", "delta": delta}, "message-end")


COHERE_USAGE = {"billed_units": {"input_tokens": 20, "output_tokens": 10},
                "tokens": {"input_tokens": 90, "output_tokens": 12}}


def cohere_event(kind, message, **members):
    if message is not None:
        members["delta"] = {"message": message}
    return sse({"type": kind, **members}, kind)


# Ollama's own chat: a line of JSON for each piece.


def ollama_line(message, request, **members):
    return {"model": request.model, "created_at": "2026-09-21T14:13:20.123456789Z",
            "message": {"role": "assistant", "content": "", **message}, "done": False, **members}


def ollama_end():
    return {"done": True, "done_reason": "stop", "total_duration": 4883583458, "load_duration": 1334875,
            "prompt_eval_count": 20, "prompt_eval_duration": 342546000, "eval_count": 10,
            "eval_duration": 4535599000}


def ollama_calls(said):
    return [{"function": {"name": call["name"], "arguments": call["arguments"]}} for call in said["calls"]]


def ollama_whole(said, request):
    message = {"content": said["text"]}
    if said["thought"]:
        message["thinking"] = said["thought"]
    if said["calls"]:
        message["tool_calls"] = ollama_calls(said)
    return ollama_line(message, request, **ollama_end())


def ollama_stream(said, request):
    messages = [{"thinking": half} for half in halves(said["thought"])]
    messages += [{"content": half} for half in halves(said["text"])]
    messages += [{"tool_calls": [call]} for call in ollama_calls(said)]
    for message in messages:
        yield dumped(ollama_line(message, request)) + b"\n"
    yield dumped(ollama_line({}, request, **ollama_end())) + b"\n"


SPEAKERS = {
    "open": (open_whole, open_stream), "claude": (claude_whole, claude_stream),
    "gemini": (gemini_whole, gemini_stream), "bedrock": (bedrock_whole, bedrock_stream),
    "cohere": (cohere_whole, cohere_stream), "ollama": (ollama_whole, ollama_stream),
}
