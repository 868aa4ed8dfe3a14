"""Anthropic's SDK speaking Messages to providers of every format and to the sample provider."""

import asyncio

import anthropic
import pydantic
import pytest

from formats import (
    BREAKS, CACHED_TOKENS, CITY, CONCLUSION, INPUT_TOKENS, OUTPUT_TOKENS, PIXEL, PROVIDERS, SIGNING, STRUCTURED, TEXT,
    THOUGHT, call_and_result_in, image_in, key_in, named, schema_in, tool_schema_in)

TOOL = {"name": "get_weather", "description": "The weather of a city.", "input_schema": CITY}
GREETING = [{"role": "user", "content": "Hi"}]
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}


class Person(pydantic.BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module")
def client(house):
    with anthropic.Anthropic(base_url=house.gateway, api_key=house.key, max_retries=0, timeout=10) as client:
        yield client


def ask(client, stream, messages=GREETING, **asked):
    asked = {"max_tokens": 1024, "messages": messages, **asked}
    if not stream:
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as events:
        return events.get_final_message()


def text_of(answer):
    return "".join(block.text for block in answer.content if block.type == "text")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_arrives_with_its_usage(client, house, journal, mark, provider, stream):
    model = named(provider, "text", mark)
    answer = ask(client, stream, model=f"{provider}/{model}", system="Be brief.", stop_sequences=["END"])
    assert text_of(answer) == TEXT
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")
    usage = answer.usage
    assert usage.cache_read_input_tokens == CACHED_TOKENS[provider]
    # Anthropic counts what was read from the cache, or written to it, apart from the rest.
    assert usage.input_tokens + CACHED_TOKENS[provider] + (usage.cache_creation_input_tokens or 0) == INPUT_TOKENS
    assert usage.output_tokens == OUTPUT_TOKENS
    (request,) = journal(model)
    assert "Be brief." in request.body and "END" in request.body
    assert key_in(provider, request) == house.provider_key and house.key not in str(request.headers)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_has_the_events_of_the_format_in_their_order(client, provider):
    model = f"{provider}/{named(provider, 'thinking-and-tool-call')}"
    events = list(client.messages.create(model=model, max_tokens=1024, messages=[QUESTION], tools=[TOOL], stream=True))
    kinds = [event.type for event in events if event.type != "ping"]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    opened = [event.index for event in events if event.type == "content_block_start"]
    assert len(opened) >= 3 and opened == list(range(len(opened)))
    for index in opened:
        of_block = [event.type for event in events if getattr(event, "index", None) == index]
        assert of_block[0] == "content_block_start" and of_block[-1] == "content_block_stop"
        assert set(of_block[1:-1]) <= {"content_block_delta"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_arrives_in_an_asynchronous_application(house, provider):
    async def read():
        async with anthropic.AsyncAnthropic(base_url=house.gateway, api_key=house.key, max_retries=0) as client:
            asked = {"model": f"{provider}/{named(provider, 'text')}", "max_tokens": 99, "messages": GREETING}
            async with client.messages.stream(**asked) as stream:
                return [text async for text in stream.text_stream]

    assert "".join(asyncio.run(read())) == TEXT


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script", ["tool-call", "thinking-and-tool-call"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_tool_is_called_and_its_result_is_answered(client, journal, mark, provider, script, stream):
    model = named(provider, script, mark)
    asked = {"model": f"{provider}/{model}", "tools": [TOOL]}
    if script.startswith("thinking"):
        asked |= {"thinking": {"type": "adaptive", "display": "summarized"}}
    first = ask(client, stream, [QUESTION], **asked)
    assert first.stop_reason == "tool_use"
    (call,) = [block for block in first.content if block.type == "tool_use"]
    assert (call.name, call.input) == ("get_weather", {"city": "Paris"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 °C"}
    # The SDK takes back the blocks that it gave out, thoughts and signatures among them.
    history = [QUESTION, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    assert text_of(ask(client, stream, history, **asked)) == TEXT
    before, after = journal(model)
    assert tool_schema_in(provider, before)["required"] == ["city"]
    assert call_and_result_in(provider, after) == ("get_weather", {"city": "Paris"}, "18 °C")
    if script.startswith("thinking") and provider in SIGNING:
        assert "RXJVQkNrWUlCQmdDS2tB" in after.body, "the signature of the thoughts returns to the provider as it was"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_parallel_calls_and_their_results_keep_together(client, journal, mark, provider, stream):
    model = named(provider, "tool-calls-several", mark)
    first = ask(client, stream, [QUESTION], model=f"{provider}/{model}", tools=[TOOL])
    calls = [block for block in first.content if block.type == "tool_use"]
    assert [call.input["city"] for call in calls] == ["Paris", "Rome"]
    assert calls[1].input["id"] == 12345678901234567890
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": call.input["city"]} for call in calls]
    history = [QUESTION, {"role": "assistant", "content": first.content}, {"role": "user", "content": results[::-1]}]
    assert text_of(ask(client, stream, history, model=f"{provider}/{model}", tools=[TOOL])) == TEXT
    assert len(journal(model)) == 2


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_image_arrives_at_the_provider(client, journal, mark, provider):
    model = named(provider, "text", mark)
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    content = [{"type": "text", "text": "What is this?"}, {"type": "image", "source": source}]
    ask(client, False, [{"role": "user", "content": content}], model=f"{provider}/{model}")
    (request,) = journal(model)
    assert image_in(provider, request) == ("image/png", PIXEL)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_is_parsed_into_the_type_that_was_asked_for(client, journal, mark, provider, stream):
    model = named(provider, "structured", mark)
    asked = {"model": f"{provider}/{model}", "max_tokens": 1024, "messages": GREETING, "output_format": Person}
    if stream:
        with client.messages.stream(**asked) as events:
            answer = events.get_final_message()
    else:
        answer = client.messages.parse(**asked)
    assert answer.parsed_output == Person(**STRUCTURED)
    (request,) = journal(model)
    assert set(schema_in(provider, request)["properties"]) == {"name", "age"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_the_model_thought_is_a_block_before_the_answer(client, provider, stream):
    answer = ask(client, stream, model=f"{provider}/{named(provider, 'thinking')}",
                 thinking={"type": "adaptive", "display": "summarized"}, output_config={"effort": "high"})
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[0].thinking == THOUGHT
    assert text_of(answer) == CONCLUSION
    assert answer.usage.output_tokens == OUTPUT_TOKENS


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_that_was_too_long_says_so(client, provider):
    assert ask(client, False, model=f"{provider}/{named(provider, 'length')}").stop_reason == "max_tokens"


OVERLOADED = {"open": 503, "claude": 529, "gemini": 503, "bedrock": 503, "cohere": 503, "ollama": 503}
ERRORS = [(provider, status, kind) for provider in PROVIDERS for status, kind in (
    (400, anthropic.BadRequestError), (404, anthropic.NotFoundError), (429, anthropic.RateLimitError),
    (500, anthropic.InternalServerError), (OVERLOADED[provider], anthropic.InternalServerError))]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("provider", "status", "kind"), ERRORS)
def test_the_providers_error_is_the_exception_that_the_sdk_knows(client, provider, status, kind, stream):
    model = f"{provider}/{named(provider, f'error-{status}')}"
    with pytest.raises(kind) as caught:
        client.messages.create(model=model, max_tokens=9, messages=GREETING, stream=stream)
    assert caught.value.request_id
    assert caught.value.body["type"] == "error"
    assert f"The words of {provider} for {status}." in caught.value.message
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "20"
        assert caught.value.body["error"]["type"] == "rate_limit_error"


@pytest.mark.parametrize(("provider", "script"), BREAKS)
def test_a_stream_that_breaks_off_raises(client, provider, script):
    model = f"{provider}/{named(provider, script)}"
    seen = []
    with pytest.raises(anthropic.APIError):
        for event in client.messages.create(model=model, max_tokens=9, messages=GREETING, stream=True):
            seen.append(event.type)
    assert seen and "message_stop" not in seen


@pytest.mark.parametrize("provider", PROVIDERS)
def test_leaving_a_stream_cancels_the_call_to_the_provider(client, journal, mark, provider):
    model = named(provider, "endless", mark)
    asked = {"model": f"{provider}/{model}", "max_tokens": 9, "messages": GREETING}
    with client.messages.stream(**asked) as stream:
        for _, text in zip(range(3), stream.text_stream):
            assert text
    (request,) = journal(model, ended=1)
    assert request.ended == "left"


def test_fifty_requests_at_once_each_get_their_own_answer(house, mark):
    async def ask_for(client, number):
        provider, own = PROVIDERS[number % len(PROVIDERS)], f"{mark}{number}"
        asked = {"model": f"{provider}/{named(provider, 'mark', own)}", "max_tokens": 99, "messages": GREETING}
        if number % 2 == 0:
            return text_of(await client.messages.create(**asked)) == own
        async with client.messages.stream(**asked) as stream:
            return await stream.get_final_text() == own

    async def ask_all():
        async with anthropic.AsyncAnthropic(base_url=house.gateway, api_key=house.key, max_retries=0) as client:
            return await asyncio.gather(*(ask_for(client, number) for number in range(50)))

    assert asyncio.run(ask_all()) == [True] * 50


def test_a_key_that_is_not_known_is_an_authentication_error(house):
    with anthropic.Anthropic(base_url=house.gateway, api_key="sk-somebody-elses-0000000", max_retries=0) as stranger:
        with pytest.raises(anthropic.AuthenticationError) as caught:
            ask(stranger, False, model="sandbox/echo")
    assert caught.value.request_id
    assert caught.value.body["error"]["type"] == "authentication_error"
    assert "sk-somebody" not in str(caught.value.body)


def test_a_key_in_the_older_header_is_taken_too(house):
    headers = {"x-api-key": house.key, "authorization": anthropic.omit, "anthropic-version": "2023-06-01"}
    with anthropic.Anthropic(base_url=house.gateway, api_key="unused", max_retries=0) as client:
        assert text_of(ask(client, False, model=f"open/{named('open', 'text')}", extra_headers=headers)) == TEXT


@pytest.mark.parametrize("prefix", ["", "/anthropic"])
def test_a_beta_and_a_prefix_lead_to_the_same_place(house, prefix):
    with anthropic.Anthropic(base_url=house.gateway + prefix, api_key=house.key, max_retries=0) as client:
        answer = client.beta.messages.create(
            model=f"gemini/{named('gemini', 'text')}", max_tokens=9, messages=GREETING, betas=["a-beta-of-tomorrow"])
    assert text_of(answer) == TEXT


def test_a_model_that_nobody_serves_is_not_found(client):
    with pytest.raises(anthropic.NotFoundError) as caught:
        ask(client, False, model="gpt-4o-minni")
    assert caught.value.body["error"]["type"] == "not_found_error"


def test_the_sample_answers_streams_and_calls_a_tool(client):
    messages = [{"role": "user", "content": "Say something friendly."}]
    whole = ask(client, False, messages, model="sandbox/echo")
    assert "Say something friendly" in text_of(whole)
    assert text_of(ask(client, True, messages, model="sandbox/echo")) == text_of(whole)
    first = ask(client, False, [QUESTION], model="sandbox/echo", tools=[TOOL])
    (call,) = [block for block in first.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 °C and sun"}
    history = [QUESTION, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    assert "18 °C and sun" in text_of(ask(client, False, history, model="sandbox/echo", tools=[TOOL]))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_tokens_are_counted_for_any_model(client, provider):
    counted = client.messages.count_tokens(model=f"{provider}/{named(provider, 'text')}", messages=GREETING)
    assert counted.input_tokens == 20 if provider == "claude" else counted.input_tokens > 0


def test_the_models_are_listed_in_the_form_of_the_sdk(client):
    models = list(client.models.list())
    assert all(model.type == "model" and model.display_name for model in models)
    assert "house-model" in [model.id for model in models]
