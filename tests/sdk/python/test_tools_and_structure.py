"""Tools over several rounds, and answers that follow a schema."""

import json

import pydantic
import pytest

TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "Weather of a city.", "strict": True,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                       "additionalProperties": False}}},
    {"type": "function", "function": {
        "name": "warmer_of", "parameters": {"type": "object", "properties": {
            "first": {"type": "number"}, "second": {"type": "number"}}}}},
]
TEMPERATURES = {"Paris": 18, "東京": 24}


class Event(pydantic.BaseModel):
    name: str
    date: str
    participants: list[str]


def run_tool(call):
    arguments = json.loads(call.function.arguments)
    if call.function.name == "get_weather":
        return str(TEMPERATURES[arguments["city"]])
    return str(max(arguments["first"], arguments["second"]))


def test_tools_are_called_over_several_rounds(client, journal, mark):
    model = f"tools:{mark}"
    messages = [{"role": "user", "content": "Where is it warmer, in Paris or in Tokyo?"}]
    for _ in range(3):
        answer = client.chat.completions.create(model=f"scripted/{model}", messages=messages, tools=TOOLS)
        message = answer.choices[0].message
        if answer.choices[0].finish_reason != "tool_calls":
            break
        messages.append(message)
        messages += [{"role": "tool", "tool_call_id": call.id, "content": run_tool(call)} for call in message.tool_calls]
    assert message.content == "東京 is warmer: 24 °C against 18 °C."
    asked = [json.loads(request.body) for request in journal(model)]
    assert [len(body["messages"]) for body in asked] == [1, 4, 6]
    assert all(body["tools"] == TOOLS for body in asked)
    results = [message for message in asked[-1]["messages"] if message["role"] == "tool"]
    assert [(result["tool_call_id"], result["content"]) for result in results] == [
        ("call_Q8kPq2vYb7", "18"), ("call_mZ4tLw0sX1", "24"), ("call_n0JrE6uVd5", "24")]


def test_tool_calls_can_be_put_together_from_a_stream(client):
    chunks = client.chat.completions.create(
        model="scripted/tools", messages=[{"role": "user", "content": "Where is it warmer?"}], tools=TOOLS, stream=True)
    calls, finish = {}, None
    for chunk in chunks:
        for delta in chunk.choices[0].delta.tool_calls or []:
            call = calls.setdefault(delta.index, {"id": delta.id, "name": delta.function.name, "arguments": ""})
            call["arguments"] += delta.function.arguments
        finish = chunk.choices[0].finish_reason or finish
    assert finish == "tool_calls"
    assert [(call["id"], call["name"], json.loads(call["arguments"])) for call in calls.values()] == [
        ("call_Q8kPq2vYb7", "get_weather", {"city": "Paris"}), ("call_mZ4tLw0sX1", "get_weather", {"city": "東京"})]


def test_the_sdks_own_stream_helper_puts_tool_calls_together(client):
    with client.chat.completions.stream(
            model="scripted/tools", messages=[{"role": "user", "content": "Where is it warmer?"}], tools=TOOLS) as stream:
        answer = stream.get_final_completion()
    calls = answer.choices[0].message.tool_calls
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Paris"}, {"city": "東京"}]


def test_an_answer_is_parsed_into_the_type_that_was_asked_for(client, journal, mark):
    answer = client.chat.completions.parse(
        model=f"scripted/structured:{mark}", messages=[{"role": "user", "content": "Alice and Bob go to a science fair."}],
        response_format=Event)
    assert answer.choices[0].message.parsed == Event(name="Science Fair", date="Friday", participants=["Alice", "Bob"])
    (request,) = journal(f"structured:{mark}")
    asked = json.loads(request.body)["response_format"]
    assert asked["type"] == "json_schema" and asked["json_schema"]["strict"] is True
    assert sorted(asked["json_schema"]["schema"]["properties"]) == ["date", "name", "participants"]


def test_a_streamed_answer_is_parsed_too(client):
    with client.chat.completions.stream(
            model="scripted/structured", messages=[{"role": "user", "content": "Alice and Bob go to a science fair."}],
            response_format=Event) as stream:
        assert stream.get_final_completion().choices[0].message.parsed.participants == ["Alice", "Bob"]


@pytest.mark.parametrize("script", ["refusal"])
def test_a_refusal_is_not_taken_for_an_answer(client, script):
    answer = client.chat.completions.parse(
        model=f"scripted/{script}", messages=[{"role": "user", "content": "Something bad."}], response_format=Event)
    assert answer.choices[0].message.parsed is None
    assert answer.choices[0].message.refusal == "I'm sorry, I can't help with that."
