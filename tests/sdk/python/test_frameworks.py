"""Frameworks for agents, each with its own loop of tools over three rounds, whole and streamed, in front of providers
of every format. What the model says is told to the scripted provider before: see tools.py."""

import asyncio
import functools
import json
import operator

import agents
import anthropic
import litellm
import openai
import pytest
from google import genai
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from formats import PROVIDERS, STRUCTURED, named, schema_in
from tools import ANSWER, assert_looped, get_weather, rounds, tell

QUESTION = "Where is it warmest?"
# One round more than there are, so that a loop that does not end fails.
ROUNDS_MAX = 4
agents.set_tracing_disabled(True)


class Person(BaseModel):
    name: str
    age: int


def agents_sdk(model_class):
    """OpenAI's Agents SDK."""
    async def loop(house, model, stream):
        client = openai.AsyncOpenAI(base_url=house.base_url, api_key=house.key, max_retries=0)
        agent = agents.Agent(
            name="forecaster", tools=[agents.function_tool(get_weather)],
            model=model_class(model=model, openai_client=client))
        if not stream:
            return (await agents.Runner.run(agent, QUESTION, max_turns=ROUNDS_MAX)).final_output
        result, text = agents.Runner.run_streamed(agent, QUESTION, max_turns=ROUNDS_MAX), ""
        async for event in result.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                text += event.data.delta
        assert text.endswith(result.final_output)
        return result.final_output

    return loop


def pydantic_ai(new_model):
    async def loop(house, model, stream):
        agent = Agent(new_model(house, model), tools=[get_weather], retries=0)
        if not stream:
            return (await agent.run(QUESTION)).output
        # The events of every round, and not only of the last.
        text = ""
        async with agent.iter(QUESTION) as run:
            async for node in run:
                if Agent.is_model_request_node(node):
                    async with node.stream(run.ctx) as events:
                        async for piece in events.stream_text(delta=True):
                            text += piece
        assert text.endswith(run.result.output)
        return run.result.output

    return loop


def of_openai(model_class):
    return lambda house, model, profile=None: model_class(
        model, provider=OpenAIProvider(base_url=house.base_url, api_key=house.key), profile=profile)


def of_anthropic(house, model, profile=None):
    client = anthropic.AsyncAnthropic(base_url=house.gateway, api_key=house.key, max_retries=0)
    return AnthropicModel(model, provider=AnthropicProvider(anthropic_client=client), profile=profile)


def of_google(house, model, profile=None):
    client = genai.Client(api_key=house.key, http_options={"base_url": house.gateway})
    return GoogleModel(model, provider=GoogleProvider(client=client), profile=profile)


def langchain(new_model):
    # It keeps connections from one event loop to the next, and so is not asked in one.
    async def loop(house, model, stream):
        chat = new_model(house, model, stream).bind_tools([get_weather])
        messages = [HumanMessage(QUESTION)]
        for _ in range(ROUNDS_MAX):
            answer = sum_of(chat.stream(messages)) if stream else chat.invoke(messages)
            messages.append(answer)
            if not answer.tool_calls:
                return answer.text
            for call in answer.tool_calls:
                messages.append(ToolMessage(get_weather(**call["args"]), tool_call_id=call["id"]))
        raise AssertionError("the loop does not end")

    return loop


def sum_of(pieces):
    return functools.reduce(operator.add, pieces)


def langchain_openai(**options):
    return lambda house, model, stream: ChatOpenAI(
        model=model, base_url=house.base_url, api_key=house.key, max_retries=0, streaming=stream, **options)


def langchain_anthropic(house, model, stream):
    return ChatAnthropic(model=model, base_url=house.gateway, api_key=house.key, max_retries=0, max_tokens=999,
                         streaming=stream)


def lite_llm(provider, address):
    """LiteLLM as an application's library, which speaks to us as to `provider`."""
    tool = {"type": "function", "function": {
        "name": "get_weather", "description": get_weather.__doc__, "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}

    async def loop(house, model, stream):
        messages = [{"role": "user", "content": QUESTION}]
        for _ in range(ROUNDS_MAX):
            answer = await litellm.acompletion(
                model=f"{provider}/{model}", api_base=getattr(house, address), api_key=house.key, messages=messages,
                tools=[tool], stream=stream, max_retries=0)
            if stream:
                answer = litellm.stream_chunk_builder([chunk async for chunk in answer], messages=messages)
            message = answer.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            if not message.tool_calls:
                return message.content
            for call in message.tool_calls:
                result = get_weather(**json.loads(call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
        raise AssertionError("the loop does not end")

    return loop


PYDANTIC_AI = {
    "pydantic-ai-chat": of_openai(OpenAIChatModel), "pydantic-ai-responses": of_openai(OpenAIResponsesModel),
    "pydantic-ai-anthropic": of_anthropic, "pydantic-ai-google": of_google,
}
LOOPS = {
    "agents-responses": agents_sdk(agents.OpenAIResponsesModel),
    "agents-chat": agents_sdk(agents.OpenAIChatCompletionsModel),
    **{name: pydantic_ai(new_model) for name, new_model in PYDANTIC_AI.items()},
    "langchain-chat": langchain(langchain_openai()),
    "langchain-responses": langchain(langchain_openai(use_responses_api=True)),
    "langchain-anthropic": langchain(langchain_anthropic),
    "litellm-openai": lite_llm("openai", "base_url"),
    "litellm-anthropic": lite_llm("anthropic", "gateway"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("framework", LOOPS)
def test_a_loop_of_tools_ends_with_the_answer(house, journal, mark, framework, provider, stream):
    model = named(provider, "plan", mark)
    tell(house, model, rounds())
    assert asyncio.run(LOOPS[framework](house, f"{provider}/{model}", stream)) == ANSWER
    assert_looped(journal(model))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("framework", PYDANTIC_AI)
def test_an_answer_follows_a_schema(house, journal, mark, framework, provider):
    model = named(provider, "structured", mark)
    # Unless told, the framework takes a model whose name it does not know for one without this.
    profile = {"supports_json_schema_output": True}
    agent = Agent(PYDANTIC_AI[framework](house, f"{provider}/{model}", profile), output_type=NativeOutput(Person))
    assert agent.run_sync("Who?").output == Person(**STRUCTURED)
    (request,) = journal(model)
    assert set(schema_in(provider, request)["properties"]) == {"name", "age"}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("framework", PYDANTIC_AI)
def test_an_answer_is_the_call_of_a_tool_that_must_be_called(house, mark, framework, provider):
    model = named(provider, "plan", mark)
    tell(house, model, [{"calls": [{"name": "final_result", "arguments": STRUCTURED}]}])
    agent = Agent(PYDANTIC_AI[framework](house, f"{provider}/{model}"), output_type=ToolOutput(Person))
    assert agent.run_sync("Who?").output == Person(**STRUCTURED)
