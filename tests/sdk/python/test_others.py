"""Clients that wrap the formats in their own way: Mistral's SDK (chat completions, read strictly) and LangChain's
(Messages)."""

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from mistralai.client import Mistral, errors
from pydantic import BaseModel

from formats import (
    CITY, INPUT_TOKENS, OUTPUT_TOKENS, PROVIDERS, STRUCTURED, TEXT, call_and_result_in, named, schema_in)

GREETING = [{"role": "user", "content": "Hi"}]
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}
FUNCTION = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module")
def mistral(house):
    with Mistral(api_key=house.key, server_url=house.gateway, timeout_ms=10_000) as client:
        yield client


@pytest.mark.parametrize("provider", PROVIDERS)
def test_mistrals_sdk_reads_an_answer_whole_and_streamed(mistral, provider):
    model = f"{provider}/{named(provider, 'text')}"
    answer = mistral.chat.complete(model=model, messages=GREETING)
    assert answer.choices[0].message.content == TEXT
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (INPUT_TOKENS, OUTPUT_TOKENS)
    chunks = [event.data for event in mistral.chat.stream(model=model, messages=GREETING)]
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == TEXT
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_mistrals_sdk_calls_a_tool(mistral, journal, mark, provider):
    model = named(provider, "tool-call", mark)
    asked = {"model": f"{provider}/{model}", "tools": [FUNCTION]}
    first = mistral.chat.complete(messages=[QUESTION], **asked).choices[0].message
    (call,) = first.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "name": call.function.name, "content": "18 °C"}
    answer = mistral.chat.complete(messages=[QUESTION, first, result], **asked)
    assert answer.choices[0].message.content == TEXT
    _, after = journal(model)
    assert call_and_result_in(provider, after) == ("get_weather", {"city": "Paris"}, "18 °C")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_mistrals_sdk_raises_a_providers_error(mistral, provider):
    with pytest.raises(errors.SDKError) as caught:
        mistral.chat.complete(model=f"{provider}/{named(provider, 'error-429')}", messages=GREETING)
    assert caught.value.status_code == 429
    assert caught.value.headers["retry-after"] == "20"


@pytest.fixture(scope="module")
def langchain(house):
    return lambda model, **options: ChatAnthropic(
        model=model, base_url=house.gateway, api_key=house.key, max_retries=0, max_tokens=1024, **options)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_langchain_reads_an_answer_whole_and_streamed(langchain, provider):
    model = langchain(f"{provider}/{named(provider, 'text')}")
    answer = model.invoke("Hi")
    assert answer.text == TEXT
    assert answer.usage_metadata["input_tokens"] == INPUT_TOKENS
    assert answer.usage_metadata["output_tokens"] == OUTPUT_TOKENS
    pieces = list(model.stream("Hi"))
    assert "".join(piece.text for piece in pieces) == TEXT
    assert sum((piece.usage_metadata or {}).get("output_tokens", 0) for piece in pieces) == OUTPUT_TOKENS


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_langchain_calls_a_tool(langchain, journal, mark, provider, stream):
    name = named(provider, "thinking-and-tool-call", mark)
    model = langchain(f"{provider}/{name}", streaming=stream)
    model = model.bind_tools([{"name": "get_weather", "description": "The weather.", "input_schema": CITY}])
    first = model.invoke([HumanMessage(QUESTION["content"])])
    (call,) = first.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
    result = ToolMessage("18 °C", tool_call_id=call["id"])
    assert model.invoke([HumanMessage(QUESTION["content"]), first, result]).text == TEXT
    _, after = journal(name)
    assert call_and_result_in(provider, after) == ("get_weather", {"city": "Paris"}, "18 °C")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_langchain_follows_a_schema(langchain, journal, mark, provider):
    name = named(provider, "structured", mark)
    model = langchain(f"{provider}/{name}").with_structured_output(Person, method="json_schema")
    assert model.invoke("Who?") == Person(**STRUCTURED)
    (request,) = journal(name)
    assert set(schema_in(provider, request)["properties"]) == {"name", "age"}
