"""Ollama's own SDK: against the scripted Ollama, to show that this is the real thing, and against the gateway, which
takes its vectors."""

import ollama
import pytest

from formats import CITY, CONCLUSION, INPUT_TOKENS, OUTPUT_TOKENS, TEXT, THOUGHT

TEXTS = [f"text {place}" for place in range(3)]
MODELS = ["ollama-vectors/all-minilm", "cohere-vectors/embed-v4.0", "gemini-vectors/gemini-embedding-001",
          "bedrock-vectors/amazon.titan-embed-text-v2:0", "openai-vectors/text-embedding-3-small"]
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}


def vector(place):
    return [float(place), 0.5, -0.10000000149011612]


@pytest.fixture(scope="module")
def scripted(house):
    return ollama.Client(host=f"{house.provider}/ollama", timeout=10)


@pytest.fixture(scope="module")
def through(house):
    return ollama.Client(host=house.gateway, headers={"authorization": f"Bearer {house.key}"}, timeout=10)


def test_the_scripted_ollama_answers_whole_and_streamed(scripted):
    whole = scripted.chat(model="qwen3--text", messages=[QUESTION])
    assert whole.message.content == TEXT and whole.done
    assert (whole.prompt_eval_count, whole.eval_count) == (INPUT_TOKENS, OUTPUT_TOKENS)
    *parts, last = scripted.chat(model="qwen3--text", messages=[QUESTION], stream=True)
    assert "".join(part.message.content for part in [*parts, last]) == TEXT
    assert last.done and last.eval_count == OUTPUT_TOKENS


def test_the_scripted_ollama_thinks_and_calls_tools(scripted):
    thought = scripted.chat(model="qwen3--thinking", messages=[QUESTION], think=True).message
    assert (thought.thinking, thought.content) == (THOUGHT, CONCLUSION)
    first = scripted.chat(model="qwen3--tool-call", messages=[QUESTION], tools=[TOOL]).message
    (call,) = first.tool_calls
    assert (call.function.name, call.function.arguments) == ("get_weather", {"city": "Paris"})
    result = {"role": "tool", "tool_name": call.function.name, "content": "18 °C"}
    again = scripted.chat(model="qwen3--tool-call", messages=[QUESTION, first, result], tools=[TOOL]).message
    assert again.content == TEXT


def test_the_scripted_ollama_fails_as_ollama_does(scripted):
    with pytest.raises(ollama.ResponseError) as caught:
        scripted.chat(model="qwen3--error-404", messages=[QUESTION])
    assert (caught.value.status_code, caught.value.error) == (404, "The words of ollama for 404.")


def test_the_scripted_ollama_gives_vectors(house):
    answer = ollama.Client(host=f"{house.provider}/vectors/ollama", timeout=10).embed(model="all-minilm", input=TEXTS)
    assert answer.embeddings == [vector(place) for place in range(3)]


@pytest.mark.parametrize("model", MODELS)
def test_ollamas_sdk_gets_vectors_of_every_provider(through, model):
    answer = through.embed(model=model, input=TEXTS)
    assert answer.embeddings == [vector(place) for place in range(3)]
    assert answer.prompt_eval_count == (3 * 7 if "titan" in model else 7)
    assert through.embed(model=model, input="text 0").embeddings == [vector(0)]


def test_openais_sdk_gets_vectors_of_ollama(client):
    answer = client.embeddings.create(model=MODELS[0], input=TEXTS, encoding_format="float")
    assert [row.embedding for row in answer.data] == [vector(place) for place in range(3)]
    assert answer.usage.prompt_tokens == 7


def test_ollamas_sdk_raises_an_error_of_the_gateway(through):
    with pytest.raises(ollama.ResponseError) as caught:
        through.embed(model="no-such-model", input=TEXTS)
    assert caught.value.status_code == 404
    assert "no-such-model" in caught.value.error
