"""Whatever a provider answers, every SDK reads it without complaint, and reads the same whole and streamed. The answers
are the fixtures of the dialects; what exactly each must become is tested there."""

import pathlib
import types

import anthropic
import pytest
from google import genai

from formats import CITY, named

FIXTURES = pathlib.Path(__file__).parent.parent.parent.parent / "fixtures"
FOLDERS = {"open": "openai_chat", "claude": "anthropic_messages", "gemini": "gemini", "bedrock": "bedrock_converse",
           "cohere": "cohere_chat", "ollama": "ollama_chat"}
ENDINGS = ("sse", "hex", "ndjson")
ANSWERS = [(provider, file.stem) for provider, folder in FOLDERS.items()
           for file in sorted((FIXTURES / folder / "answers").glob("*.json"))
           if any((FIXTURES / folder / "streams" / f"{file.stem}.{ending}").exists() for ending in ENDINGS)]
QUESTION = "What is the weather in Paris and in Rome?"


@pytest.fixture(scope="module")
def clients(house, client):
    google = genai.Client(api_key=house.key, http_options={"base_url": house.gateway, "retry_options": {"attempts": 1}})
    with google, anthropic.Anthropic(base_url=house.gateway, api_key=house.key, max_retries=0) as messages:
        yield types.SimpleNamespace(openai=client, anthropic=messages, google=google)


# Streams are put together by hand where the SDK's own helper refuses to say anything but a complete answer.


def read_chat(clients, model, stream):
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}
    messages = [{"role": "user", "content": QUESTION}]
    answer = clients.openai.chat.completions.create(model=model, messages=messages, tools=[tool], stream=stream)
    choices = [choice for chunk in answer for choice in chunk.choices] if stream else answer.choices
    said = [choice.delta if stream else choice.message for choice in choices if choice.index == 0]
    calls = [call for piece in said for call in piece.tool_calls or []]
    calls = {call.index for call in calls} if stream else calls
    finish = [choice.finish_reason for choice in choices if choice.index == 0 and choice.finish_reason]
    text, refusal = ("".join(getattr(piece, name) or "" for piece in said) for name in ("content", "refusal"))
    return text, refusal, len(calls), finish


def read_responses(clients, model, stream):
    tool = {"type": "function", "name": "get_weather", "parameters": CITY, "strict": False}
    answer = clients.openai.responses.create(model=model, input=QUESTION, tools=[tool], stream=stream)
    if stream:
        *_, last = answer
        assert last.type == f"response.{last.response.status}"
        answer = last.response
    return answer.output_text, sorted(item.type for item in answer.output), answer.status


def read_anthropic(clients, model, stream):
    tool = {"name": "get_weather", "input_schema": CITY}
    asked = {"model": model, "max_tokens": 999, "messages": [{"role": "user", "content": QUESTION}], "tools": [tool]}
    if not stream:
        answer = clients.anthropic.messages.create(**asked)
    else:
        with clients.anthropic.messages.stream(**asked) as events:
            answer = events.get_final_message()
    text = "".join(block.text for block in answer.content if block.type == "text")
    return text, sum(block.type == "tool_use" for block in answer.content), answer.stop_reason


def read_gemini(clients, model, stream):
    function = {"name": "get_weather", "parameters_json_schema": CITY}
    asked = {"model": model, "contents": QUESTION, "config": {
        "tools": [{"function_declarations": [function]}], "automatic_function_calling": {"disable": True}}}
    if stream:
        answers = list(clients.google.models.generate_content_stream(**asked))
    else:
        answers = [clients.google.models.generate_content(**asked)]
    candidates = [candidate for answer in answers for candidate in answer.candidates or [] if not candidate.index]
    parts = [part for candidate in candidates if candidate.content for part in candidate.content.parts or []]
    text = "".join(part.text for part in parts if part.text and not part.thought)
    finish = [candidate.finish_reason for candidate in candidates if candidate.finish_reason]
    return text, sum(bool(part.function_call) for part in parts), finish


# Claude at Bedrock answers Anthropic's clients in Anthropic's format, and has that format's fixtures.
CASES = [(provider, answer, read) for provider, answer in ANSWERS
         for read in (read_chat, read_responses, read_anthropic, read_gemini)
         if (provider, read) != ("bedrock", read_anthropic) or ("claude", answer) in ANSWERS]


@pytest.mark.parametrize(("provider", "answer", "read"), CASES)
def test_an_answer_reads_the_same_whole_and_streamed(clients, read, provider, answer):
    model = f"{provider}/{named(provider, answer)}"
    assert read(clients, model, stream=False) == read(clients, model, stream=True)
