"""Vectors and orders of documents where the provider does not speak the SDK's format: OpenAI's SDK with providers of
three others, Google's and Cohere's SDKs with a provider that speaks OpenAI's or Jina's."""

import struct

import cohere
import openai
import pytest
from cohere.core.api_error import ApiError
from google import genai
from google.genai import types

TEXTS = [f"text {place}" for place in range(3)]
MODELS = {
    "cohere": "cohere-vectors/embed-v4.0",
    "gemini": "gemini-vectors/gemini-embedding-001",
    "bedrock": "bedrock-vectors/amazon.titan-embed-text-v2:0",
    "openai": "openai-vectors/text-embedding-3-small",
}
TOKENS = {"cohere": 7, "gemini": 7, "bedrock": 3 * 7, "openai": 7}


def vector(place):
    return [float(place), 0.5, -0.10000000149011612]


@pytest.fixture(scope="module")
def google(house):
    once = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(base_url=house.gateway, retry_options=once, timeout=10_000)
    with genai.Client(api_key=house.key, http_options=options) as client:
        yield client


@pytest.fixture(scope="module")
def coheres(house):
    return cohere.ClientV2(api_key=house.key, base_url=house.gateway, timeout=10)


@pytest.mark.parametrize("encoding", [openai.omit, "float"])
@pytest.mark.parametrize("provider", MODELS)
def test_openais_sdk_gets_the_very_vectors_in_either_encoding(client, provider, encoding):
    answer = client.embeddings.create(model=MODELS[provider], input=TEXTS, encoding_format=encoding)
    assert [row.index for row in answer.data] == [0, 1, 2]
    # The SDK asks for base64 unless told otherwise, and unpacks it: 32-bit floats.
    floats = [struct.unpack("<3f", struct.pack("<3f", *row.embedding)) for row in answer.data]
    assert floats == [struct.unpack("<3f", struct.pack("<3f", *vector(place))) for place in range(3)]
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == TOKENS[provider]


def test_openais_sdk_is_told_that_tokens_cannot_be_embedded_elsewhere(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model=MODELS["cohere"], input=[[1, 2, 3]])
    assert caught.value.code == "unsupported_parameter"
    assert caught.value.param == "input"


@pytest.mark.parametrize("provider", MODELS)
def test_googles_sdk_gets_vectors_of_every_provider(google, provider):
    config = types.EmbedContentConfig(task_type="RETRIEVAL_DOCUMENT")
    answer = google.models.embed_content(model=MODELS[provider], contents=TEXTS, config=config)
    assert [embedding.values for embedding in answer.embeddings] == [vector(place) for place in range(3)]


@pytest.mark.parametrize("provider", MODELS)
def test_coheres_sdk_gets_vectors_of_every_provider(coheres, provider):
    answer = coheres.embed(model=MODELS[provider], texts=TEXTS, input_type="search_document", embedding_types=["float"])
    assert answer.embeddings.float_ == [vector(place) for place in range(3)]
    assert answer.meta.billed_units.input_tokens == TOKENS[provider]


@pytest.mark.parametrize("model", ["cohere-vectors/rerank-v3.5", "jina-orders/jina-reranker-v3"])
def test_coheres_sdk_gets_documents_in_order(coheres, model):
    answer = coheres.rerank(model=model, query="Which?", documents=TEXTS, top_n=2)
    assert [result.index for result in answer.results] == [2, 1]
    assert answer.results[0].relevance_score == pytest.approx(0.2)


def test_coheres_sdk_raises_an_error_of_the_gateway(coheres):
    with pytest.raises(ApiError) as caught:
        coheres.embed(model="no-such-model", texts=TEXTS, input_type="search_document")
    assert caught.value.status_code == 404
    assert "no-such-model" in caught.value.body["message"]
