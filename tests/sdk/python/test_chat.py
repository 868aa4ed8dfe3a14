"""Chat and the older completions, whole and streamed."""

import asyncio
import base64
import json

import pytest

TEXT = "Grüße aus Zürich 👋 — how can I assist you today?"


def test_a_whole_answer_arrives_with_everything_the_provider_said(client, question):
    answer = client.chat.completions.create(model="scripted/chat", messages=question)
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == 19 and answer.usage.completion_tokens == 10
    assert answer.model == "gpt-4o-mini-2024-07-18"
    assert answer.x_field_of_tomorrow == {"exact": 12345678901234567890123}


def test_the_provider_is_asked_for_exactly_what_the_application_said(client, journal, mark):
    client.chat.completions.create(
        model=f"scripted/chat:{mark}",
        messages=[{"role": "developer", "content": "Be brief. 🙂"}, {"role": "user", "content": "Hi"}],
        temperature=0.2, seed=7, stop=["\n\n"], logit_bias={"50256": -100}, metadata={"team": "a"}, store=False,
        extra_body={"a_field_of_tomorrow": [1, {"exact": 12345678901234567890123}]},
    )
    (request,) = journal(f"chat:{mark}")
    assert request.path == "/v1/chat/completions"
    assert json.loads(request.body) == {
        "model": f"chat:{mark}",
        "messages": [{"role": "developer", "content": "Be brief. 🙂"}, {"role": "user", "content": "Hi"}],
        "temperature": 0.2, "seed": 7, "stop": ["\n\n"], "logit_bias": {"50256": -100}, "metadata": {"team": "a"},
        "store": False, "a_field_of_tomorrow": [1, {"exact": 12345678901234567890123}],
    }


def test_the_providers_key_goes_to_the_provider_and_the_applications_does_not(client, house, journal, mark, question):
    client.chat.completions.create(model=f"scripted/chat:{mark}", messages=question)
    (request,) = journal(f"chat:{mark}")
    assert request.headers["authorization"] == f"Bearer {house.provider_key}"
    assert house.key not in json.dumps(request.headers)


@pytest.mark.parametrize("model", ["gpt-4o-mini", "house-model"])
def test_a_model_is_found_by_its_bare_name_and_by_an_alias(client, question, model):
    answer = client.chat.completions.create(model=model, messages=question)
    assert answer.choices[0].message.content == TEXT


def test_a_large_image_arrives_as_it_was_sent(client, journal, mark):
    # Megabytes come in many pieces; each has its own content, so that a lost or doubled one is noticed.
    pixels = b"".join(number.to_bytes(4, "big") for number in range(500_000))
    image = "data:image/png;base64," + base64.b64encode(pixels).decode()
    content = [
        {"type": "text", "text": "What is in this picture?"},
        {"type": "image_url", "image_url": {"url": image, "detail": "low"}},
    ]
    client.chat.completions.create(model=f"scripted/chat:{mark}", messages=[{"role": "user", "content": content}])
    (request,) = journal(f"chat:{mark}")
    # Compared first and shown never: the difference of two megabytes is no help.
    unchanged = json.loads(request.body)["messages"] == [{"role": "user", "content": content}]
    assert unchanged


@pytest.mark.parametrize("script", ["chat", "chat-in-crumbs", "chat-in-crlf"])
def test_a_stream_arrives_whole_however_it_is_cut_and_written(client, question, script):
    chunks = list(client.chat.completions.create(model=f"scripted/{script}", messages=question, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1


def test_usage_is_not_in_a_stream_that_was_not_asked_for_it(client, journal, mark, question):
    model = f"chat:{mark}"
    chunks = list(client.chat.completions.create(model=f"scripted/{model}", messages=question, stream=True))
    assert all(chunk.choices for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)
    # The gateway itself asks, so that it knows what was used.
    (request,) = journal(model)
    assert json.loads(request.body)["stream_options"] == {"include_usage": True}


def test_usage_ends_a_stream_that_was_asked_for_it(client, question):
    chunks = list(client.chat.completions.create(
        model="scripted/chat", messages=question, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == 29
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_a_stream_arrives_in_an_asynchronous_application(new_async_client, question):
    async def read():
        async with new_async_client() as client:
            stream = await client.chat.completions.create(model="scripted/chat", messages=question, stream=True)
            return [chunk.choices[0].delta.content or "" async for chunk in stream]

    assert "".join(asyncio.run(read())) == TEXT


def test_an_older_completion_arrives_whole_and_streamed(client):
    answer = client.completions.create(model="scripted/completion", prompt="Say this is a test", max_tokens=7)
    assert answer.choices[0].text == "\n\nThis is indeed a test"
    assert answer.usage.total_tokens == 12
    chunks = list(client.completions.create(model="scripted/completion", prompt="Say this is a test", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "\n\nThis is a test"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_fifty_requests_at_once_each_get_their_own_answer(new_async_client, mark):
    async def ask(client, number, stream):
        text = f"{mark} number {number}"
        messages = [{"role": "user", "content": text}]
        if not stream:
            answer = await client.chat.completions.create(model="scripted/echo", messages=messages)
            return answer.choices[0].message.content == text
        chunks = await client.chat.completions.create(model="scripted/echo", messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks]).startswith(text)

    async def ask_all():
        async with new_async_client() as client:
            return await asyncio.gather(*(ask(client, number, stream=number % 2 == 0) for number in range(50)))

    assert asyncio.run(ask_all()) == [True] * 50


def test_headers_say_who_answered(client, question):
    raw = client.chat.completions.with_raw_response.create(model="scripted/chat", messages=question)
    assert raw.parse().choices[0].message.content == TEXT
    assert raw.headers["x-provider-used"] == "scripted"
    assert raw.headers["x-provider-type"] == "openai-compatible"
    assert raw.headers["x-model-used"] == "chat"
    assert raw.headers["x-provider-request-id"] == "req_scripted_0001"
    assert raw.request_id == raw.headers["x-gateway-request-id"]
    assert raw.headers["x-ratelimit-remaining-requests"] == "9999"
    assert "set-cookie" not in raw.headers


def test_the_headers_of_a_stream_say_who_answered(client, question):
    with client.chat.completions.with_streaming_response.create(
            model="scripted/chat", messages=question, stream=True) as raw:
        assert raw.headers["content-type"].startswith("text/event-stream")
        assert raw.headers["x-provider-used"] == "scripted"
        assert raw.request_id
        assert "".join(chunk.choices[0].delta.content or "" for chunk in raw.parse()) == TEXT
