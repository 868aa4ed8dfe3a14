"""An application with a time limit: the next provider answers before it gives up."""

import os

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

# The first provider says nothing, ever; the second answers at once. Nobody has written how long the first may take.
MODEL = "hangs-at-first"
SECONDS = 3
pytestmark = pytest.mark.skipif("AI_GATEWAY_BINARY" not in os.environ, reason="there is nobody else without a gateway")


def test_openais_library_gets_the_next_providers_answer_within_its_timeout(house, question):
    with openai.OpenAI(base_url=house.base_url, api_key=house.key, max_retries=0, timeout=SECONDS) as client:
        answer = client.chat.completions.with_raw_response.create(model=MODEL, messages=question)
        assert answer.headers["x-provider-used"] == "listed" and answer.headers["x-attempt-count"] == "2"
        assert answer.parse().choices[0].message.content


def test_a_stream_begins_within_the_timeout_too(house, question):
    with openai.OpenAI(base_url=house.base_url, api_key=house.key, max_retries=0, timeout=SECONDS) as client:
        stream = client.chat.completions.create(model=MODEL, messages=question, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def test_a_timeout_of_one_request_counts_as_well(client, question):
    answer = client.chat.completions.create(model=MODEL, messages=question, timeout=SECONDS)
    assert answer.choices[0].message.content


def test_anthropics_library_gets_the_next_providers_answer_within_its_timeout(house, question):
    with anthropic.Anthropic(base_url=house.gateway, api_key=house.key, max_retries=0, timeout=SECONDS) as client:
        answer = client.messages.create(model=MODEL, messages=question, max_tokens=64)
        assert answer.content[0].text


def test_googles_library_gets_the_next_providers_answer_within_its_timeout(house):
    once = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(base_url=house.gateway, retry_options=once, timeout=SECONDS * 1000)
    with genai.Client(api_key=house.key, http_options=options) as client:
        assert client.models.generate_content(model=MODEL, contents="Hi.").text
