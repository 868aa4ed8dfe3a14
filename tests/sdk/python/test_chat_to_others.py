"""OpenAI's SDK speaking chat completions to providers of other formats, and as Azure's customers use it."""

import json

import openai
import pydantic
import pytest

from formats import (
    BREAKS, CACHED_TOKENS, CITY, CONCLUSION, INPUT_TOKENS, OUTPUT_TOKENS, PIXEL, PROVIDERS, STRUCTURED, TEXT, THOUGHT,
    THOUGHT_TOKENS, call_and_result_in, image_in, key_in, named, schema_in)

FOREIGN = [provider for provider in PROVIDERS if provider != "open"]
GREETING = [{"role": "user", "content": "Hi"}]
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": CITY, "strict": False}}


class Person(pydantic.BaseModel):
    name: str
    age: int


def ask(client, stream, **asked):
    """The whole answer; put together by the SDK's own helper where it is streamed."""
    if not stream:
        return client.chat.completions.create(**asked)
    with client.chat.completions.stream(stream_options={"include_usage": True}, **asked) as events:
        return events.get_final_completion()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", FOREIGN)
def test_an_answer_arrives_with_its_usage(client, house, journal, mark, provider, stream):
    model = named(provider, "text", mark)
    messages = [{"role": "system", "content": "Be brief."}, *GREETING]
    answer = ask(client, stream, model=f"{provider}/{model}", messages=messages)
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == INPUT_TOKENS and answer.usage.completion_tokens == OUTPUT_TOKENS
    assert answer.usage.prompt_tokens_details.cached_tokens == CACHED_TOKENS[provider]
    (request,) = journal(model)
    assert "Be brief." in request.body
    assert key_in(provider, request) == house.provider_key and house.key not in str(request.headers)


@pytest.mark.parametrize("provider", FOREIGN)
def test_usage_is_only_in_a_stream_that_was_asked_for_it(client, provider):
    asked = {"model": f"{provider}/{named(provider, 'text')}", "messages": GREETING, "stream": True}
    chunks = list(client.chat.completions.create(**asked))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    chunks = list(client.chat.completions.create(stream_options={"include_usage": True}, **asked))
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == INPUT_TOKENS + OUTPUT_TOKENS


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script", ["tool-call", "thinking-and-tool-call"])
@pytest.mark.parametrize("provider", FOREIGN)
def test_a_tool_is_called_and_its_result_is_answered(client, journal, mark, provider, script, stream):
    model = named(provider, script, mark)
    asked = {"model": f"{provider}/{model}", "tools": [TOOL]}
    first = ask(client, stream, messages=[QUESTION], **asked).choices[0]
    assert first.finish_reason == "tool_calls"
    (call,) = first.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"})
    history = [QUESTION, first.message.to_dict(), {"role": "tool", "tool_call_id": call.id, "content": "18 °C"}]
    assert ask(client, stream, messages=history, **asked).choices[0].message.content == TEXT
    _, after = journal(model)
    assert call_and_result_in(provider, after) == ("get_weather", {"city": "Paris"}, "18 °C")
    if script.startswith("thinking") and provider == "gemini":
        assert "RXJVQkNrWUlCQmdDS2tB" in after.body, "the signature of the call returns to the provider as it was"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", FOREIGN)
def test_parallel_calls_and_their_results_keep_together(client, journal, mark, provider, stream):
    model = named(provider, "tool-calls-several", mark)
    asked = {"model": f"{provider}/{model}", "tools": [TOOL]}
    first = ask(client, stream, messages=[QUESTION], **asked).choices[0].message
    assert [json.loads(call.function.arguments)["city"] for call in first.tool_calls] == ["Paris", "Rome"]
    results = [{"role": "tool", "tool_call_id": call.id, "content": "warm"} for call in reversed(first.tool_calls)]
    answer = ask(client, stream, messages=[QUESTION, first.to_dict(), *results], **asked)
    assert answer.choices[0].message.content == TEXT
    assert len(journal(model)) == 2


@pytest.mark.parametrize("provider", FOREIGN)
def test_an_image_arrives_at_the_provider(client, journal, mark, provider):
    model = named(provider, "text", mark)
    content = [{"type": "text", "text": "What is this?"},
               {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]
    ask(client, False, model=f"{provider}/{model}", messages=[{"role": "user", "content": content}])
    (request,) = journal(model)
    assert image_in(provider, request) == ("image/png", PIXEL)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", FOREIGN)
def test_an_answer_is_parsed_into_the_type_that_was_asked_for(client, journal, mark, provider, stream):
    model = named(provider, "structured", mark)
    asked = {"model": f"{provider}/{model}", "messages": GREETING, "response_format": Person}
    answer = ask(client, True, **asked) if stream else client.chat.completions.parse(**asked)
    assert answer.choices[0].message.parsed == Person(**STRUCTURED)
    (request,) = journal(model)
    assert set(schema_in(provider, request)["properties"]) == {"name", "age"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", FOREIGN)
def test_what_the_model_thought_stands_beside_the_answer(client, provider, stream):
    answer = ask(client, stream, model=f"{provider}/{named(provider, 'thinking')}", messages=GREETING,
                 reasoning_effort="high")
    message = answer.choices[0].message
    assert message.content == CONCLUSION
    assert message.reasoning_content == THOUGHT
    assert answer.usage.completion_tokens_details.reasoning_tokens == THOUGHT_TOKENS[provider]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "kind"), [
    (400, openai.BadRequestError), (404, openai.NotFoundError), (429, openai.RateLimitError),
    (500, openai.InternalServerError)])
@pytest.mark.parametrize("provider", FOREIGN)
def test_the_providers_error_is_the_exception_that_the_sdk_knows(client, provider, status, kind, stream):
    with pytest.raises(kind) as caught:
        client.chat.completions.create(
            model=f"{provider}/{named(provider, f'error-{status}')}", messages=GREETING, stream=stream)
    assert caught.value.request_id
    assert f"The words of {provider} for {status}." in caught.value.message
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "20"


@pytest.mark.parametrize("provider", FOREIGN)
def test_a_refused_provider_key_is_not_told_as_the_applications(client, house, provider):
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=f"{provider}/{named(provider, 'error-401')}", messages=GREETING)
    assert caught.value.code != "invalid_api_key"
    assert house.provider_key not in str(caught.value.body)


@pytest.mark.parametrize(("provider", "script"), [row for row in BREAKS if row[0] in FOREIGN])
def test_a_stream_that_breaks_off_raises(client, provider, script):
    seen = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(
                model=f"{provider}/{named(provider, script)}", messages=GREETING, stream=True):
            seen.append(chunk)
    assert caught.value.code.startswith("provider_")
    assert any(chunk.choices[0].delta.content for chunk in seen)
    assert not any(chunk.choices[0].finish_reason for chunk in seen)


def test_azures_client_names_the_model_in_the_path_and_its_key_in_its_own_header(house):
    with openai.AzureOpenAI(azure_endpoint=house.gateway, api_key=house.key, api_version="2025-04-01-preview",
                            max_retries=0) as client:
        answer = client.chat.completions.create(model="house-model", messages=GREETING)
        assert answer.choices[0].message.content.startswith("Grüße")
        answer = client.responses.create(model=f"claude/{named('claude', 'text')}", input="Hi")
        assert answer.output_text == TEXT
