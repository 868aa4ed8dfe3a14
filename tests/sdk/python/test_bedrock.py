"""Amazon's own code against what the tests say in its name: botocore reads every frame that the scripted provider and
the fixtures hold, and boto3 converses with the scripted provider, so that the gateway is tested with the real thing.
"""

import base64
import json

import boto3
import botocore.exceptions
import openai
import pytest
from botocore.config import Config
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer

import frames
import vendors
from formats import (
    CITY, CONCLUSION, PIXEL, THOUGHT, TEXT, call_and_result_in, image_in, named, schema_in, tool_schema_in)
from tools import tell

FIXTURES = sorted((vendors.FIXTURES / "bedrock_converse" / "streams").glob("*.hex"))
MALFORMED = {"broken-checksum"}
GREETING = [{"role": "user", "content": [{"text": "Hi"}]}]
QUESTION = {"role": "user", "content": [{"text": "What is the weather in Paris?"}]}
TOOLS = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": CITY}}}]}


def read_by_botocore(data):
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return list(buffer)


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda file: file.stem)
def test_botocore_reads_the_frames_of_the_fixtures(fixture):
    written = frames.of_hex(fixture.read_bytes())
    if fixture.stem in MALFORMED:
        with pytest.raises(ChecksumMismatch):
            read_by_botocore(b"".join(written))
        return
    read = read_by_botocore(b"".join(written))
    assert len(read) == len(written)
    for message, frame in zip(read, written):
        headers, payload = frames.read(frame)
        assert (message.headers, message.payload) == (headers, payload)
        assert frames.frame(headers, payload) == frame, "two encoders that know nothing of each other write the same"
        json.loads(payload)


def test_botocore_reads_the_frames_of_the_scripted_provider():
    headers = {":event-type": "contentBlockDelta", ":message-type": "event", ":content-type": "application/json"}
    payloads = ["", "{}", '{"text":"wörd 🌍"}', "x" * 100_000]
    stream = b"".join(frames.frame(headers, payload.encode()) for payload in payloads)
    buffer, messages = EventStreamBuffer(), []
    for start in range(0, len(stream), 4999):
        buffer.add_data(stream[start : start + 4999])
        messages.extend(buffer)
    assert [message.payload.decode() for message in messages] == payloads
    assert all(message.headers == headers for message in messages)
    damaged = bytearray(frames.frame(headers, b"{}"))
    damaged[-6] ^= 1
    with pytest.raises(ChecksumMismatch):
        read_by_botocore(bytes(damaged))


@pytest.fixture(scope="module")
def bedrock(house):
    """Amazon's SDK in front of the scripted provider itself."""
    once = Config(retries={"total_max_attempts": 1}, read_timeout=10)
    return boto3.client(
        "bedrock-runtime", region_name="eu-central-1", endpoint_url=f"{house.provider}/bedrock", config=once,
        aws_access_key_id="AKIASCRIPTED", aws_secret_access_key="scripted")


def converse(bedrock, stream, model, messages=GREETING, **asked):
    """The message and the reason of its end, put together where it comes as a stream."""
    if not stream:
        answer = bedrock.converse(modelId=model, messages=messages, **asked)
        assert answer["usage"]["totalTokens"] == 30
        return answer["output"]["message"], answer["stopReason"]
    blocks, reason, usage = {}, None, None
    for event in bedrock.converse_stream(modelId=model, messages=messages, **asked)["stream"]:
        ((kind, event),) = event.items()
        if kind == "contentBlockStart":
            blocks[event["contentBlockIndex"]] = {"toolUse": {**event["start"]["toolUse"], "input": ""}}
        elif kind == "contentBlockDelta":
            add(blocks.setdefault(event["contentBlockIndex"], {}), event["delta"])
        elif kind == "messageStop":
            reason = event["stopReason"]
        elif kind == "metadata":
            usage = event["usage"]
    assert usage["totalTokens"] == 30
    content = [block for _, block in sorted(blocks.items())]
    for block in content:
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"])
    return {"role": "assistant", "content": content}, reason


def add(block, delta):
    if "text" in delta:
        block["text"] = block.get("text", "") + delta["text"]
    elif "toolUse" in delta:
        block["toolUse"]["input"] += delta["toolUse"]["input"]
    else:
        thought = block.setdefault("reasoningContent", {}).setdefault("reasoningText", {})
        for name, piece in delta["reasoningContent"].items():
            thought[name] = thought.get(name, "") + piece


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script", ["text", "thinking", "length", "tool-calls-several", "text-and-tool-call"])
def test_amazons_sdk_reads_the_scripted_provider(bedrock, stream, script):
    message, reason = converse(bedrock, stream, named("bedrock", script))
    text = "".join(block.get("text", "") for block in message["content"])
    if script == "text":
        assert (text, reason) == (TEXT, "end_turn")
    if script == "thinking":
        assert text == CONCLUSION
        assert message["content"][0]["reasoningContent"]["reasoningText"]["text"] == THOUGHT
    if script == "length":
        assert reason == "max_tokens"
    if "tool-call" in script:
        assert reason == "tool_use"
        assert message["content"][-1]["toolUse"]["name"] == "get_weather"


@pytest.mark.parametrize("stream", [False, True])
def test_what_amazons_sdk_writes_is_what_the_tests_look_for(bedrock, journal, mark, stream):
    """The places in which the other tests look for what the gateway has written are those of Amazon's own client."""
    model = named("bedrock", "thinking-and-tool-call", mark)
    picture = {"image": {"format": "png", "source": {"bytes": base64.b64decode(PIXEL)}}}
    question = {"role": "user", "content": [{"text": "What is the weather here?"}, picture]}
    schema = {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(CITY)}}}
    asked = {"toolConfig": TOOLS, "outputConfig": {"textFormat": schema}}
    message, reason = converse(bedrock, stream, model, [question], **asked)
    assert reason == "tool_use"
    use = message["content"][-1]["toolUse"]
    result = {"toolResult": {"toolUseId": use["toolUseId"], "content": [{"text": "18 °C"}]}}
    history = [question, message, {"role": "user", "content": [result]}]
    answer, _ = converse(bedrock, stream, model, history, **asked)
    assert answer["content"][0]["text"] == TEXT
    before, after = journal(model)
    assert image_in("bedrock", before) == ("image/png", PIXEL)
    assert schema_in("bedrock", before) == CITY and tool_schema_in("bedrock", before) == CITY
    assert call_and_result_in("bedrock", after) == ("get_weather", {"city": "Paris"}, "18 °C")
    assert after.path.endswith("/converse-stream" if stream else "/converse")
    assert before.headers["authorization"].startswith("AWS4-HMAC-SHA256 ")


@pytest.mark.parametrize(("status", "name"), [
    (400, "ValidationException"), (404, "ResourceNotFoundException"), (429, "ThrottlingException"),
    (500, "InternalServerException"), (503, "ServiceUnavailableException")])
def test_amazons_sdk_knows_the_scripted_errors(bedrock, status, name):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        converse(bedrock, False, named("bedrock", f"error-{status}"))
    assert caught.value.response["Error"] == {"Code": name, "Message": f"The words of bedrock for {status}."}
    assert isinstance(caught.value, getattr(bedrock.exceptions, name))


@pytest.mark.parametrize(("script", "name"), [
    ("broken-throttled", "throttlingException"), ("broken-model-error", "modelStreamErrorException")])
def test_amazons_sdk_knows_the_errors_inside_a_stream(bedrock, script, name):
    with pytest.raises(botocore.exceptions.EventStreamError) as caught:
        converse(bedrock, True, named("bedrock", script))
    assert caught.value.response["Error"]["Code"] == name


@pytest.mark.parametrize("stream", [False, True])
def test_amazons_sdk_follows_a_plan_of_several_rounds(bedrock, house, mark, stream):
    model = named("bedrock", "plan", mark)
    tell(house, model, [
        {"thought": "I should look.", "calls": [
            {"name": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Rome")]},
        {"text": TEXT}])
    first, reason = converse(bedrock, stream, model, [QUESTION], toolConfig=TOOLS)
    assert reason == "tool_use" and first["content"][0]["reasoningContent"]["reasoningText"]["signature"]
    uses = [block["toolUse"] for block in first["content"] if "toolUse" in block]
    assert [use["input"]["city"] for use in uses] == ["Paris", "Rome"]
    results = [{"toolResult": {"toolUseId": use["toolUseId"], "content": [{"text": "warm"}]}} for use in uses]
    answer, reason = converse(
        bedrock, stream, model, [QUESTION, first, {"role": "user", "content": results}], toolConfig=TOOLS)
    assert (answer["content"], reason) == ([{"text": TEXT}], "end_turn")


def test_a_frame_with_a_wrong_checksum_is_believed_by_nobody(client):
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(
                model=f"bedrock/{named('bedrock', 'broken-checksum')}", stream=True,
                messages=[{"role": "user", "content": "Hi"}]):
            assert not any(choice.finish_reason for choice in chunk.choices)
    assert caught.value.code.startswith("provider_")
