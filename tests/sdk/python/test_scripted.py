"""The vendors' own SDKs against the scripted provider itself, with no gateway between: what the other tests let it say is
the real thing. Amazon's is in test_bedrock.py, Ollama's in test_ollama.py, Google's on Vertex AI in test_vertex.py."""

import json

import anthropic
import cohere
import openai
import pytest
from cohere.core.api_error import ApiError
from google import genai
from google.genai import errors as google_errors
from google.genai import types
from mistralai.client import Mistral

import carried
from formats import CITY, CONCLUSION, INPUT_TOKENS, OUTPUT_TOKENS, TEXT, THOUGHT, named

TEXTS = [f"text {place}" for place in range(3)]
VECTORS = [[float(place), 0.5, -0.10000000149011612] for place in range(3)]
QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]
FUNCTION = {"type": "function", "function": {"name": "get_weather", "description": "It.", "parameters": CITY}}


@pytest.fixture(scope="module")
def coheres(house):
    return lambda path: cohere.ClientV2(api_key=house.provider_key, base_url=f"{house.provider}{path}", timeout=10)


@pytest.fixture(scope="module")
def google(house):
    once = types.HttpRetryOptions(attempts=1)

    def new(path):
        options = types.HttpOptions(base_url=f"{house.provider}{path}", retry_options=once, timeout=10_000)
        return genai.Client(api_key=house.provider_key, http_options=options)

    return new


@pytest.fixture(scope="module")
def claude(house):
    with anthropic.Anthropic(api_key=house.provider_key, base_url=f"{house.provider}/claude", max_retries=0) as client:
        yield client


def test_coheres_sdk_reads_an_answer_whole_and_streamed(coheres):
    asked = {"model": named("cohere", "text"), "messages": QUESTION}
    whole = coheres("/cohere").chat(**asked)
    assert whole.message.content[0].text == TEXT
    billed = whole.usage.billed_units
    assert (billed.input_tokens, billed.output_tokens) == (INPUT_TOKENS, OUTPUT_TOKENS)
    events = list(coheres("/cohere").chat_stream(**asked))
    deltas = [event.delta.message.content.text for event in events if event.type == "content-delta"]
    assert "".join(deltas) == TEXT
    assert events[-1].type == "message-end"
    assert events[-1].delta.usage.billed_units.output_tokens == OUTPUT_TOKENS


def test_coheres_sdk_reads_thoughts_and_calls(coheres):
    thought, text = coheres("/cohere").chat(model=named("cohere", "thinking"), messages=QUESTION).message.content
    assert (thought.thinking, text.text) == (THOUGHT, CONCLUSION)
    asked = coheres("/cohere").chat(model=named("cohere", "tool-call"), messages=QUESTION, tools=[FUNCTION])
    (call,) = asked.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"})


def test_coheres_sdk_reads_vectors_orders_and_errors(coheres):
    client = coheres("/vectors/cohere")
    answer = client.embed(model="embed-v4.0", texts=TEXTS, input_type="search_query", embedding_types=["float", "int8"])
    assert (answer.embeddings.float_, answer.embeddings.int8[1]) == (VECTORS, [1, 127, -128])
    assert [found.index for found in client.rerank(model="r", query="?", documents=TEXTS, top_n=2).results] == [2, 1]
    with pytest.raises(ApiError) as caught:
        once = {"max_retries": 0}
        coheres("/cohere").chat(model=named("cohere", "error-429"), messages=QUESTION, request_options=once)
    assert (caught.value.status_code, caught.value.body["message"]) == (429, "The words of cohere for 429.")


def test_googles_sdk_reads_an_answer_whole_and_streamed(google):
    with google("/gemini") as client:
        whole = client.models.generate_content(model=named("gemini", "text"), contents="Hi")
        assert whole.text == TEXT
        assert whole.usage_metadata.prompt_token_count == INPUT_TOKENS
        parts = list(client.models.generate_content_stream(model=named("gemini", "text"), contents="Hi"))
        assert "".join(part.text for part in parts) == TEXT
        assert parts[-1].candidates[0].finish_reason == "STOP"


def test_googles_sdk_reads_thoughts_calls_counts_and_errors(google):
    with google("/gemini") as client:
        thought, text = client.models.generate_content(
            model=named("gemini", "thinking"), contents="Hi").candidates[0].content.parts
        assert (thought.thought, thought.text, text.text) == (True, THOUGHT, CONCLUSION)
        (call,) = client.models.generate_content(model=named("gemini", "tool-call"), contents="Hi").function_calls
        assert (call.name, call.args) == ("get_weather", {"city": "Paris"})
        assert client.models.count_tokens(model="gemini-3-pro", contents="Hi").total_tokens == 20
        with pytest.raises(google_errors.ClientError) as caught:
            client.models.generate_content(model=named("gemini", "error-429"), contents="Hi")
        assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")


def test_googles_sdk_reads_vectors(google):
    with google("/vectors/gemini") as client:
        answer = client.models.embed_content(model="gemini-embedding-001", contents=TEXTS)
    assert [embedding.values for embedding in answer.embeddings] == VECTORS


def test_anthropics_sdk_reads_an_answer_whole_and_streamed(claude):
    asked = {"model": named("claude", "thinking-and-tool-call"), "messages": QUESTION, "max_tokens": 3000}
    whole = claude.messages.create(**asked)
    with claude.messages.stream(**asked) as stream:
        streamed = stream.get_final_message()
    for answer in (whole, streamed):
        thought, call = answer.content[0], answer.content[-1]
        assert (thought.type, bool(thought.signature)) == ("thinking", True)
        assert (call.name, call.input, answer.stop_reason) == ("get_weather", {"city": "Paris"}, "tool_use")
    assert claude.messages.count_tokens(model="claude-sonnet-5-5", messages=QUESTION).input_tokens == 20
    with pytest.raises(anthropic.RateLimitError):
        claude.messages.create(**{**asked, "model": named("claude", "error-429")})


def test_openais_sdk_reads_an_answer_whole_and_streamed(house):
    with openai.OpenAI(base_url=f"{house.provider}/open/v1", api_key=house.provider_key, max_retries=0) as client:
        asked = {"model": named("open", "text"), "messages": QUESTION}
        assert client.chat.completions.create(**asked).choices[0].message.content == TEXT
        with client.chat.completions.stream(**asked) as stream:
            assert stream.get_final_completion().choices[0].message.content == TEXT
        vectors = openai.OpenAI(base_url=f"{house.provider}/vectors/openai/v1", api_key=house.provider_key)
        answer = vectors.embeddings.create(model="e", input=TEXTS, encoding_format="float")
        assert [row.embedding for row in answer.data] == VECTORS


def test_mistrals_sdk_reads_what_is_carried(house):
    with Mistral(api_key=house.provider_key, server_url=f"{house.provider}/carried", timeout_ms=10_000) as mistral:
        assert mistral.embeddings.create(model="e", inputs=["a"]).data[0].embedding == [0.5, -0.25, 1.0]
        assert mistral.classifiers.moderate(model="m", inputs=["harm"]).results[0].categories["violence"]
        document = {"type": "document_url", "document_url": "https://example.com/a.pdf"}
        assert mistral.ocr.process(model="o", document=document).usage_info.pages_processed == 1
        sent = {"file_name": "a.wav", "content": b"RIFF"}
        assert mistral.audio.transcriptions.complete(model="voxtral", file=sent).text == carried.TRANSCRIPT
