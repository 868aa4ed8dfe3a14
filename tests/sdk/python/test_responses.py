"""OpenAI's SDK speaking its newer format, Responses, to providers of every format and to the sample provider."""

import json

import openai
import pydantic
import pytest

from formats import (
    BREAKS, CACHED_TOKENS, CITY, CONCLUSION, INPUT_TOKENS, OUTPUT_TOKENS, PIXEL, PROVIDERS, STRUCTURED, TEXT, THOUGHT,
    THOUGHT_TOKENS, call_and_result_in, image_in, key_in, named, schema_in, tool_schema_in)

TOOL = {"type": "function", "name": "get_weather", "description": "The weather of a city.", "parameters": CITY,
        "strict": False}
QUESTION = "What is the weather in Paris?"


class Person(pydantic.BaseModel):
    name: str
    age: int


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_whole_answer_arrives_with_its_usage(client, house, journal, mark, provider):
    model = named(provider, "text", mark)
    answer = client.responses.create(model=f"{provider}/{model}", instructions="Be brief.", input="Hi")
    assert answer.output_text == TEXT
    assert answer.status == "completed" and answer.error is None
    assert answer.usage.input_tokens == INPUT_TOKENS and answer.usage.output_tokens == OUTPUT_TOKENS
    assert answer.usage.input_tokens_details.cached_tokens == CACHED_TOKENS[provider]
    assert answer.usage.total_tokens == INPUT_TOKENS + OUTPUT_TOKENS
    (request,) = journal(model)
    assert "Be brief." in request.body
    assert key_in(provider, request) == house.provider_key


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_arrives_with_the_events_in_order_and_its_usage(client, provider):
    events = list(client.responses.create(model=f"{provider}/{named(provider, 'text')}", input="Hi", stream=True))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == TEXT
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[-1].type == "response.completed"
    answer = events[-1].response
    assert answer.output_text == TEXT
    assert answer.usage.input_tokens == INPUT_TOKENS and answer.usage.output_tokens == OUTPUT_TOKENS


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_tool_is_called_and_its_result_is_answered(client, journal, mark, provider, stream):
    model = named(provider, "tool-call", mark)
    asked = {"model": f"{provider}/{model}", "tools": [TOOL]}
    history = [{"role": "user", "content": QUESTION}]
    first = ask(client, stream, input=history, **asked)
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Paris"})
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "18 °C"}
    second = ask(client, stream, input=history + [item.model_dump() for item in first.output] + [result], **asked)
    assert second.output_text == TEXT
    before, after = journal(model)
    assert tool_schema_in(provider, before)["required"] == ["city"]
    assert call_and_result_in(provider, after) == ("get_weather", {"city": "Paris"}, "18 °C")


def ask(client, stream, **asked):
    if not stream:
        return client.responses.create(store=False, **asked)
    with client.responses.stream(store=False, **asked) as events:
        return events.get_final_response()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_parallel_calls_arrive_as_items_of_their_own(client, provider):
    model = f"{provider}/{named(provider, 'tool-calls-several')}"
    answer = ask(client, True, model=model, input=QUESTION, tools=[TOOL])
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [json.loads(call.arguments)["city"] for call in calls] == ["Paris", "Rome"]
    assert len({call.call_id for call in calls}) == 2
    # A number that no float can hold.
    assert json.loads(calls[1].arguments)["id"] == 12345678901234567890


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_image_arrives_at_the_provider(client, journal, mark, provider):
    model = named(provider, "text", mark)
    content = [{"type": "input_text", "text": "What is this?"},
               {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{PIXEL}"}]
    client.responses.create(model=f"{provider}/{model}", input=[{"role": "user", "content": content}])
    (request,) = journal(model)
    assert image_in(provider, request) == ("image/png", PIXEL)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_is_parsed_into_the_type_that_was_asked_for(client, journal, mark, provider, stream):
    model = named(provider, "structured", mark)
    asked = {"model": f"{provider}/{model}", "input": "Who?", "text_format": Person}
    if stream:
        with client.responses.stream(**asked) as events:
            answer = events.get_final_response()
    else:
        answer = client.responses.parse(**asked)
    assert answer.output_parsed == Person(**STRUCTURED)
    (request,) = journal(model)
    assert set(schema_in(provider, request)["properties"]) == {"name", "age"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_the_model_thought_is_a_reasoning_item_before_the_answer(client, provider, stream):
    answer = ask(client, stream, model=f"{provider}/{named(provider, 'thinking')}", input="Is 97 prime?",
                 reasoning={"effort": "high", "summary": "auto"})
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    reasoning, _ = answer.output
    told = [*reasoning.summary, *(reasoning.content or [])]
    assert "".join(part.text for part in told) == THOUGHT
    assert answer.output_text == CONCLUSION
    assert answer.usage.output_tokens_details.reasoning_tokens == THOUGHT_TOKENS[provider]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_that_was_too_long_is_incomplete(client, provider):
    answer = client.responses.create(model=f"{provider}/{named(provider, 'length')}", input="Hi", max_output_tokens=16)
    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "kind"), [
    (400, openai.BadRequestError), (404, openai.NotFoundError), (429, openai.RateLimitError),
    (500, openai.InternalServerError)])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_providers_error_is_the_exception_that_the_sdk_knows(client, provider, status, kind, stream):
    with pytest.raises(kind) as caught:
        client.responses.create(model=f"{provider}/{named(provider, f'error-{status}')}", input="Hi", stream=stream)
    assert caught.value.request_id
    assert f"The words of {provider} for {status}." in caught.value.message
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "20"


@pytest.mark.parametrize(("provider", "script"), BREAKS)
def test_a_stream_that_breaks_off_raises_or_says_failed(client, provider, script):
    seen = []
    with pytest.raises(openai.APIError):
        for event in client.responses.create(model=f"{provider}/{named(provider, script)}", input="Hi", stream=True):
            seen.append(event)
            if event.type == "response.failed":
                raise openai.APIError(event.response.error.message, request=None, body=None)
    assert any(event.type == "response.output_text.delta" for event in seen)
    assert not any(event.type == "response.completed" for event in seen)


def test_a_key_that_is_not_known_is_an_authentication_error(house):
    with openai.OpenAI(base_url=house.base_url, api_key="sk-somebody-elses-0000000", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as caught:
            stranger.responses.create(model="sandbox/echo", input="Hi")
    assert caught.value.code == "invalid_api_key"


def test_the_sample_answers_streams_and_calls_a_tool(client):
    whole = client.responses.create(model="sandbox/echo", input="Say something friendly.")
    assert "Say something friendly" in whole.output_text
    assert ask(client, True, model="sandbox/echo", input="Say something friendly.").output_text == whole.output_text
    first = client.responses.create(model="sandbox/echo", input=QUESTION, tools=[TOOL])
    (call,) = [item for item in first.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "18 °C and sun"}
    history = [{"role": "user", "content": QUESTION}, *(item.model_dump() for item in first.output), result]
    assert "18 °C and sun" in client.responses.create(model="sandbox/echo", input=history, tools=[TOOL]).output_text


def test_a_path_with_the_vendors_name_before_it_is_the_same(house):
    with openai.OpenAI(base_url=f"{house.gateway}/openai/v1", api_key=house.key, max_retries=0) as client:
        assert client.responses.create(model=f"claude/{named('claude', 'text')}", input="Hi").output_text == TEXT


# What is kept: answers and conversations. The scripted providers speak other formats, so that it is the gateway's.

@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_is_retrieved_continued_and_deleted(client, journal, mark, provider, stream):
    model = named(provider, "text", mark)
    asked = {"model": f"{provider}/{model}", "input": f"The first question {mark}."}
    if stream:
        with client.responses.stream(**asked) as events:
            first = events.get_final_response()
    else:
        first = client.responses.create(**asked)
    kept = client.responses.retrieve(first.id)
    assert (kept.id, kept.output_text, kept.status) == (first.id, TEXT, "completed")
    assert [item.id for item in kept.output] == [item.id for item in first.output]

    second = client.responses.create(model=f"{provider}/{model}", input="And now?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert f"The first question {mark}." in journal(model)[-1].body
    items = list(client.responses.input_items.list(second.id, order="asc", limit=1))
    assert [item.role for item in items] == ["user", "assistant", "user"]
    assert items[-1].content[0].text == "And now?"

    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.cancel(second.id)
    assert "background" in caught.value.message


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_conversation_is_continued_and_changed(client, journal, mark, provider):
    model = named(provider, "text", mark)
    conversation = client.conversations.create(
        metadata={"topic": "names"}, items=[{"type": "message", "role": "user", "content": f"I am Zoë {mark}."}])
    answer = client.responses.create(model=f"{provider}/{model}", input="Who am I?", conversation=conversation.id)
    assert answer.conversation.id == conversation.id
    assert mark in journal(model)[-1].body
    items = list(client.conversations.items.list(conversation.id, order="asc", limit=2))
    assert [item.role for item in items] == ["user", "user", "assistant"]
    assert items[-1].content[0].text == TEXT

    added = client.conversations.items.create(
        conversation.id, items=[{"type": "message", "role": "user", "content": "More."}])
    item = client.conversations.items.retrieve(added.data[0].id, conversation_id=conversation.id)
    assert item.content[0].text == "More."
    assert client.conversations.items.delete(item.id, conversation_id=conversation.id).id == conversation.id
    assert client.conversations.update(conversation.id, metadata={"topic": "other"}).metadata == {"topic": "other"}
    assert client.conversations.retrieve(conversation.id).metadata == {"topic": "other"}
    assert client.conversations.delete(conversation.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(conversation.id)


def test_what_runs_in_the_background_is_refused_by_name(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="sandbox/echo", input="Hi", background=True)
    assert caught.value.param == "background"


def test_the_tokens_of_a_request_are_counted(client):
    counted = client.responses.input_tokens.count(model="sandbox/echo", input="How many tokens is this?")
    assert counted.object == "response.input_tokens" and counted.input_tokens > 3
