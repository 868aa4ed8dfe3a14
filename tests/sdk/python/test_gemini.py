"""Google's SDK speaking `generateContent` to providers of every format and to the sample provider."""

import asyncio
import base64
import json

import pydantic
import pytest
from google import genai
from google.genai import errors, types

from formats import (
    BREAKS, CACHED_TOKENS, CITY, CONCLUSION, INPUT_TOKENS, OUTPUT_TOKENS, PIXEL, PROVIDERS, SIGNING, STRUCTURED, TEXT,
    THOUGHT, THOUGHT_TOKENS, call_and_result_in, image_in, key_in, named, schema_in, tool_schema_in)

TOOL = types.Tool(function_declarations=[types.FunctionDeclaration(
    name="get_weather", description="The weather of a city.", parameters_json_schema=CITY)])
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)
QUESTION = types.Content(role="user", parts=[types.Part(text="What is the weather in Paris?")])


class Person(pydantic.BaseModel):
    name: str
    age: int


def new_client(base_url, key, **options):
    once = types.HttpRetryOptions(attempts=1)
    return genai.Client(api_key=key, http_options=types.HttpOptions(
        base_url=base_url, retry_options=once, timeout=10_000, **options))


@pytest.fixture(scope="module")
def client(house):
    with new_client(house.gateway, house.key) as client:
        yield client


def ask(client, stream, contents="Hi", *, model, **config):
    """The answers: one, or the pieces of a stream."""
    asked = {"model": model, "contents": contents, "config": types.GenerateContentConfig(**config)}
    if stream:
        return list(client.models.generate_content_stream(**asked))
    return [client.models.generate_content(**asked)]


def parts_of(answers):
    return [part for answer in answers for candidate in answer.candidates or []
            for part in (candidate.content and candidate.content.parts) or []]


def text_of(answers):
    return "".join(part.text for part in parts_of(answers) if part.text and not part.thought)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_arrives_with_its_usage(client, house, journal, mark, provider, stream):
    model = named(provider, "text", mark)
    answers = ask(client, stream, model=f"{provider}/{model}", system_instruction="Be brief.", max_output_tokens=500)
    assert text_of(answers) == TEXT
    assert answers[-1].candidates[0].finish_reason == types.FinishReason.STOP
    usage = answers[-1].usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count) == (INPUT_TOKENS, OUTPUT_TOKENS)
    assert (usage.cached_content_token_count or 0) == CACHED_TOKENS[provider]
    assert usage.total_token_count == INPUT_TOKENS + OUTPUT_TOKENS
    (request,) = journal(model)
    assert "Be brief." in request.body and "500" in request.body
    assert key_in(provider, request) == house.provider_key and house.key not in str(request.headers)


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("prefix", ["", "/gemini"])
@pytest.mark.parametrize("stream", [False, True])
def test_both_versions_and_the_prefix_lead_to_the_same_place(house, version, prefix, stream):
    with new_client(house.gateway + prefix, house.key, api_version=version) as client:
        assert text_of(ask(client, stream, model=f"claude/{named('claude', 'text')}")) == TEXT


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_arrives_in_an_asynchronous_application(house, provider):
    async def read():
        client = new_client(house.gateway, house.key)
        model = f"{provider}/{named(provider, 'text')}"
        return [piece async for piece in await client.aio.models.generate_content_stream(model=model, contents="Hi")]

    assert text_of(asyncio.run(read())) == TEXT


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script", ["tool-call", "thinking-and-tool-call"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_tool_is_called_and_its_result_is_answered(client, journal, mark, provider, script, stream):
    model = named(provider, script, mark)
    config = {"model": f"{provider}/{model}", "tools": [TOOL], "automatic_function_calling": BY_HAND}
    first = parts_of(ask(client, stream, [QUESTION], **config))
    (call,) = [part.function_call for part in first if part.function_call]
    assert (call.name, call.args) == ("get_weather", {"city": "Paris"})
    result = types.FunctionResponse(id=call.id, name=call.name, response={"result": "18 °C"})
    history = [QUESTION, types.Content(role="model", parts=first),
               types.Content(role="user", parts=[types.Part(function_response=result)])]
    assert text_of(ask(client, stream, history, **config)) == TEXT
    before, after = journal(model)
    assert tool_schema_in(provider, before)["required"] == ["city"]
    name, arguments, answered = call_and_result_in(provider, after)
    assert (name, arguments) == ("get_weather", {"city": "Paris"}) and "18 °C" in answered
    if script.startswith("thinking") and provider in SIGNING:
        assert "RXJVQkNrWUlCQmdDS2tB" in after.body, "the signature of the thoughts returns to the provider as it was"


@pytest.mark.parametrize("provider", [provider for provider in PROVIDERS if provider not in ("gemini", "bedrock")])
def test_a_result_of_several_members_arrives_in_its_own_letters(client, journal, mark, provider):
    model = named(provider, "tool-call", mark)
    call = types.FunctionCall(name="get_weather", args={"city": "Paris"})
    # The SDK writes what is beyond ASCII as `\u…`, which is the same in JSON but not in a text.
    result = types.FunctionResponse(name="get_weather", response={"warm": "18 °C", "sky": "晴れ"})
    history = [QUESTION, types.Content(role="model", parts=[types.Part(function_call=call)]),
               types.Content(role="user", parts=[types.Part(function_response=result)])]
    ask(client, False, history, model=f"{provider}/{model}", tools=[TOOL], automatic_function_calling=BY_HAND)
    (request,) = journal(model)
    answered = call_and_result_in(provider, request)[2]
    assert json.loads(answered) == {"warm": "18 °C", "sky": "晴れ"}
    assert "晴れ" in answered


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_sdks_own_loop_calls_a_function(client, journal, mark, provider):
    def get_weather(city: str) -> str:
        """The weather of a city."""
        return f"18 °C in {city}"

    model = named(provider, "tool-call", mark)
    answer = client.models.generate_content(
        model=f"{provider}/{model}", contents=[QUESTION], config=types.GenerateContentConfig(tools=[get_weather]))
    assert answer.text == TEXT
    _, after = journal(model)
    assert "18 °C in Paris" in call_and_result_in(provider, after)[2]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_parallel_calls_arrive_whole(client, provider, stream):
    parts = parts_of(ask(client, stream, [QUESTION], model=f"{provider}/{named(provider, 'tool-calls-several')}",
                         tools=[TOOL], automatic_function_calling=BY_HAND))
    calls = [part.function_call for part in parts if part.function_call]
    assert [call.args["city"] for call in calls] == ["Paris", "Rome"]
    assert calls[1].args["id"] == 12345678901234567890


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_image_arrives_at_the_provider(client, journal, mark, provider):
    model = named(provider, "text", mark)
    image = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    ask(client, False, ["What is this?", image], model=f"{provider}/{model}")
    (request,) = journal(model)
    assert image_in(provider, request) == ("image/png", PIXEL)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_is_parsed_into_the_type_that_was_asked_for(client, journal, mark, provider):
    model = named(provider, "structured", mark)
    (answer,) = ask(client, False, "Who?", model=f"{provider}/{model}", response_mime_type="application/json",
                    response_schema=Person)
    assert answer.parsed == Person(**STRUCTURED)
    (request,) = journal(model)
    assert set(schema_in(provider, request)["properties"]) == {"name", "age"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_the_model_thought_is_told_apart_from_the_answer(client, provider, stream):
    thinking = types.ThinkingConfig(include_thoughts=True)
    answers = ask(client, stream, "Is 97 prime?", model=f"{provider}/{named(provider, 'thinking')}",
                  thinking_config=thinking)
    assert "".join(part.text for part in parts_of(answers) if part.thought) == THOUGHT
    assert text_of(answers) == CONCLUSION
    usage = answers[-1].usage_metadata
    assert (usage.thoughts_token_count or 0) == THOUGHT_TOKENS[provider]
    assert usage.candidates_token_count == OUTPUT_TOKENS - THOUGHT_TOKENS[provider]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_that_was_too_long_says_so(client, provider):
    (answer,) = ask(client, False, model=f"{provider}/{named(provider, 'length')}")
    assert answer.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "kind", "name"), [
    (400, errors.ClientError, "INVALID_ARGUMENT"), (404, errors.ClientError, "NOT_FOUND"),
    (429, errors.ClientError, "RESOURCE_EXHAUSTED"), (500, errors.ServerError, "INTERNAL")])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_providers_error_is_the_exception_that_the_sdk_knows(client, provider, status, kind, name, stream):
    with pytest.raises(kind) as caught:
        ask(client, stream, model=f"{provider}/{named(provider, f'error-{status}')}")
    # Another format's 500 is told as 502: it is the provider that failed.
    assert caught.value.code == status or (status, caught.value.code) == (500, 502)
    assert caught.value.status == name
    assert f"The words of {provider} for {status}." in caught.value.message
    assert caught.value.response.headers["x-gateway-request-id"]
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "20"


@pytest.mark.parametrize(("provider", "script"), BREAKS)
def test_a_stream_that_breaks_off_raises(client, provider, script):
    pieces = []
    with pytest.raises(Exception) as caught:
        for piece in client.models.generate_content_stream(
                model=f"{provider}/{named(provider, script)}", contents="Hi"):
            pieces.append(piece)
    assert isinstance(caught.value, errors.APIError), repr(caught.value)
    assert not any(candidate.finish_reason for piece in pieces for candidate in piece.candidates or [])


def test_a_key_that_is_not_known_is_refused(house):
    with new_client(house.gateway, "sk-somebody-elses-0000000") as stranger:
        with pytest.raises(errors.ClientError) as caught:
            ask(stranger, False, model="sandbox/echo")
    assert caught.value.code in (400, 401)
    assert "sk-somebody" not in str(caught.value)


def test_a_model_that_nobody_serves_is_not_found(client):
    with pytest.raises(errors.ClientError) as caught:
        ask(client, False, model="gpt-4o-minni")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


def test_the_sample_answers_streams_and_calls_a_tool(client):
    def get_weather(city: str) -> str:
        """The weather of a city."""
        return "18 °C and sun"

    whole = ask(client, False, "Say something friendly.", model="sandbox/echo")
    assert "Say something friendly" in text_of(whole)
    assert text_of(ask(client, True, "Say something friendly.", model="sandbox/echo")) == text_of(whole)
    assert "18 °C and sun" in text_of(ask(client, False, [QUESTION], model="sandbox/echo", tools=[get_weather]))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_tokens_are_counted_for_any_model(client, provider):
    counted = client.models.count_tokens(model=f"{provider}/{named(provider, 'text')}", contents="Hi")
    assert counted.total_tokens == 20 if provider == "gemini" else counted.total_tokens > 0


def test_the_models_are_listed_in_the_form_of_the_sdk(client):
    assert "models/house-model" in [model.name for model in client.models.list()]
