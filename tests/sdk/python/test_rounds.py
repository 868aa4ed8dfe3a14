"""The vendors' SDKs in conversations of several rounds with tools, several at once among them, whole and streamed, in
front of providers of every format; with the loop that an SDK brings where it brings one. See tools.py."""

import json

import anthropic
import pytest
from google import genai
from google.genai import types

from formats import CITY, PROVIDERS, SIGNING, named
from tools import ANSWER, assert_looped, get_weather, rounds, tell

QUESTION = "Where is it warmest?"
SIGNATURE = "RXJVQkNrWUlCQmdDS2tB"
# More than there are, so that a loop that does not end fails.
ROUNDS_MAX = 4


def chat(house, client, model, stream):
    """OpenAI's SDK has no loop."""
    function = {"name": "get_weather", "parameters": CITY, "strict": False}
    messages = [{"role": "user", "content": QUESTION}]
    asked = {"model": model, "messages": messages, "tools": [{"type": "function", "function": function}]}
    for _ in range(ROUNDS_MAX):
        if stream:
            with client.chat.completions.stream(**asked) as events:
                answer = events.get_final_completion()
        else:
            answer = client.chat.completions.create(**asked)
        message = answer.choices[0].message
        if not message.tool_calls:
            return message.content
        messages.append(message.to_dict())
        for call in message.tool_calls:
            result = get_weather(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    raise AssertionError("the loop does not end")


def responses(house, client, model, stream):
    """The history is sent again each time, as applications do that store nothing."""
    history = [{"role": "user", "content": QUESTION}]
    tool = {"type": "function", "name": "get_weather", "parameters": CITY, "strict": False}
    asked = {"model": model, "tools": [tool], "store": False, "input": history,
             "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "high", "summary": "auto"}}
    for _ in range(ROUNDS_MAX):
        if stream:
            with client.responses.stream(**asked) as events:
                answer = events.get_final_response()
        else:
            answer = client.responses.create(**asked)
        calls = [item for item in answer.output if item.type == "function_call"]
        if not calls:
            return answer.output_text
        history += [item.model_dump(exclude_none=True) for item in answer.output]
        for call in calls:
            result = get_weather(**json.loads(call.arguments))
            history.append({"type": "function_call_output", "call_id": call.call_id, "output": result})
    raise AssertionError("the loop does not end")


def continued(house, client, model, stream):
    """The gateway knows the history, and is told what is new alone."""
    tool = {"type": "function", "name": "get_weather", "parameters": CITY, "strict": False}
    new, before = [{"role": "user", "content": QUESTION}], None
    for _ in range(ROUNDS_MAX):
        asked = {"model": model, "tools": [tool], "input": new, "previous_response_id": before}
        if stream:
            with client.responses.stream(**asked) as events:
                answer = events.get_final_response()
        else:
            answer = client.responses.create(**asked)
        calls = [item for item in answer.output if item.type == "function_call"]
        if not calls:
            return answer.output_text
        before = answer.id
        new = [{"type": "function_call_output", "call_id": call.call_id,
                "output": get_weather(**json.loads(call.arguments))} for call in calls]
    raise AssertionError("the loop does not end")


def messages(house, _, model, stream):
    tool = {"name": "get_weather", "description": get_weather.__doc__, "input_schema": CITY}
    history = [{"role": "user", "content": QUESTION}]
    asked = {"model": model, "max_tokens": 9999, "tools": [tool], "messages": history,
             "thinking": {"type": "adaptive", "display": "summarized"}}
    with new_anthropic(house) as client:
        for _ in range(ROUNDS_MAX):
            if stream:
                with client.messages.stream(**asked) as events:
                    answer = events.get_final_message()
            else:
                answer = client.messages.create(**asked)
            calls = [block for block in answer.content if block.type == "tool_use"]
            if not calls:
                return "".join(block.text for block in answer.content if block.type == "text")
            results = [{"type": "tool_result", "tool_use_id": call.id, "content": get_weather(**call.input)}
                       for call in calls]
            history += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    raise AssertionError("the loop does not end")


def new_anthropic(house):
    return anthropic.Anthropic(base_url=house.gateway, api_key=house.key, max_retries=0, timeout=10)


def gemini(house, _, model, stream):
    once = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(base_url=house.gateway, retry_options=once, timeout=10_000)
    config = types.GenerateContentConfig(
        tools=[get_weather], thinking_config=types.ThinkingConfig(include_thoughts=True),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(maximum_remote_calls=ROUNDS_MAX))
    with genai.Client(api_key=house.key, http_options=options) as client:
        asked = {"model": model, "contents": QUESTION, "config": config}
        if not stream:
            return client.models.generate_content(**asked).text
        said = [part.text for piece in client.models.generate_content_stream(**asked)
                for part in (piece.candidates[0].content.parts or []) if part.text and not part.thought]
        # The words of all rounds.
        return "".join(said).removeprefix("Two more.")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("loop", [chat, responses, continued, messages, gemini])
def test_every_round_has_the_results_of_those_before_it(client, house, journal, mark, loop, provider, stream):
    model = named(provider, "plan", mark)
    tell(house, model, rounds())
    assert loop(house, client, f"{provider}/{model}", stream) == ANSWER
    requests = journal(model)
    assert_looped(requests)
    # Chat completions have no place for signatures beside that of a call, which Gemini signs.
    if provider in SIGNING and (loop is not chat or provider == "gemini"):
        signatures = [request.body.count(SIGNATURE) for request in requests]
        assert signatures == [0, 1, 2], "what was signed returns to the provider in every round"


# Anthropic's loop leaves the history to the server (`thread`) and sends what is new alone, unless it is told that the
# server does not hold threads. The scripted Anthropic says so; for the others the gateway holds them.
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_history_that_anthropics_loop_leaves_to_the_server_is_not_lost(house, journal, mark, provider, stream):
    model = named(provider, "plan", mark)
    tell(house, model, rounds())
    with new_anthropic(house) as client:
        runner = client.beta.messages.tool_runner(
            model=f"{provider}/{model}", max_tokens=9999, tools=[anthropic.beta_tool(get_weather)],
            max_iterations=ROUNDS_MAX, stream=stream, messages=[{"role": "user", "content": QUESTION}])
        *_, last = (answer.get_final_message() if stream else answer for answer in runner)
    assert "".join(block.text for block in last.content if block.type == "text") == ANSWER
    assert_looped([request for request in journal(model) if "thread" not in json.loads(request.body)])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", [provider for provider in PROVIDERS if provider != "claude"])
def test_a_thread_is_held_and_one_that_is_not_is_begun_anew(house, journal, mark, provider, stream):
    model = named(provider, "text", mark)

    def say(thread, words):
        if not stream:
            return thread.send({"role": "user", "content": words})
        with thread.stream({"role": "user", "content": words}) as events:
            return events.get_final_message()

    with new_anthropic(house) as client:
        thread = client.beta.messages.thread(model=f"{provider}/{model}", max_tokens=99, system="Be kind.")
        answers = [say(thread, words) for words in ("One?", "Two?")]
        assert thread.previous_message_id == answers[1].id
        # Nobody holds this one.
        thread._state._thread.previous_message_id = "msg_of_nobody"
        say(thread, "Three?")
    requests = [request.body for request in journal(model)]
    told = [[words in body for words in ("Be kind.", "One?", "Two?", "Three?")] for body in requests]
    assert told == [[True, True, False, False], [True, True, True, False], [True] * 4]
