"""Vectors, and the list of models."""

import json
import math

import openai
import pytest


@pytest.mark.parametrize("encoding", [openai.omit, "float"])
def test_vectors_arrive_in_the_encoding_of_the_sdk_and_as_numbers(client, journal, mark, encoding):
    model = f"embedding:{mark}"
    answer = client.embeddings.create(model=f"scripted/{model}", input=["one", "two"], encoding_format=encoding)
    assert [len(row.embedding) for row in answer.data] == [8, 8]
    assert answer.data[1].embedding == pytest.approx([math.sin(1 + place) for place in range(8)])
    assert answer.usage.total_tokens == 8
    (request,) = journal(model)
    assert request.path == "/v1/embeddings"
    assert json.loads(request.body)["encoding_format"] == ("float" if encoding == "float" else "base64")


def test_the_models_are_listed(client):
    models = {model.id: model for model in client.models.list()}
    assert {"house-model", "gpt-4o-mini", "sandbox/echo"} <= models.keys()
    assert all(model.object == "model" and model.owned_by for model in models.values())


@pytest.mark.parametrize("name", ["gpt-4o-mini", "listed/gpt-4o-mini", "house-model", "sandbox/echo"])
def test_a_model_can_be_looked_up(client, name):
    assert client.models.retrieve(name).id == name


def test_a_model_that_nobody_serves_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4o-minni")
    assert caught.value.code == "model_not_found"
