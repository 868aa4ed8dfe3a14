"""The built-in sample provider: what a newcomer tries first, without any key of a provider."""

import math

import openai
import pydantic
import pytest


class Person(pydantic.BaseModel):
    name: str
    age: int


TOOLS = [{"type": "function", "function": {
    "name": "look_up", "parameters": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}}}]


def text_of(stream):
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def test_the_sample_answers_with_what_it_was_told_and_always_the_same(client):
    messages = [{"role": "user", "content": "the quick brown fox"}]
    answers = [client.chat.completions.create(model="sandbox/echo", messages=messages) for _ in range(2)]
    assert "the quick brown fox" in answers[0].choices[0].message.content
    assert answers[0].choices == answers[1].choices
    assert answers[0].usage.total_tokens > 0


def test_the_sample_streams_the_same_text(client, question):
    whole = client.chat.completions.create(model="sandbox/echo", messages=question)
    stream = client.chat.completions.create(model="sandbox/echo", messages=question, stream=True)
    assert text_of(stream) == whole.choices[0].message.content


def test_the_sample_calls_a_tool_and_uses_its_result(client):
    messages = [{"role": "user", "content": "Look up a word."}]
    asked = client.chat.completions.create(model="sandbox/echo", messages=messages, tools=TOOLS).choices[0]
    assert asked.finish_reason == "tool_calls"
    (call,) = asked.message.tool_calls
    assert call.function.name == "look_up"
    messages += [asked.message, {"role": "tool", "tool_call_id": call.id, "content": "a small green thing"}]
    answer = client.chat.completions.create(model="sandbox/echo", messages=messages, tools=TOOLS).choices[0]
    assert answer.finish_reason == "stop" and "a small green thing" in answer.message.content


def test_the_sample_follows_a_schema(client, question):
    answer = client.chat.completions.parse(model="sandbox/echo", messages=question, response_format=Person)
    assert isinstance(answer.choices[0].message.parsed, Person)


@pytest.mark.parametrize("encoding", [openai.omit, "float"])
def test_the_sample_returns_vectors_of_length_one(client, encoding):
    answer = client.embeddings.create(
        model="sandbox/echo", input=["one", "two", "one"], dimensions=64, encoding_format=encoding)
    vectors = [row.embedding for row in answer.data]
    assert [len(vector) for vector in vectors] == [64, 64, 64]
    assert vectors[0] == vectors[2] != vectors[1]
    assert all(math.hypot(*vector) == pytest.approx(1, abs=1e-4) for vector in vectors)


@pytest.mark.parametrize(("status", "kind"), [
    (400, openai.BadRequestError),
    (404, openai.NotFoundError), (422, openai.UnprocessableEntityError), (429, openai.RateLimitError),
    (500, openai.InternalServerError), (503, openai.InternalServerError)])
def test_the_sample_fails_on_demand(client, question, status, kind):
    with pytest.raises(kind) as caught:
        client.chat.completions.create(model=f"sandbox/error-{status}", messages=question)
    assert caught.value.status_code == status
    assert caught.value.request_id
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "2"


@pytest.mark.parametrize("model", ["cut-mid-stream", "error-mid-stream"])
def test_the_sample_breaks_a_stream_on_demand(client, question, model):
    with pytest.raises(openai.APIError):
        text_of(client.chat.completions.create(model=f"sandbox/{model}", messages=question, stream=True))
