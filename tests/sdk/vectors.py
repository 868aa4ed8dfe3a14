"""What the scripted provider says where vectors or an order of documents are asked for, in the formats of several
vendors. A path that begins with `/vectors/VENDOR` is answered here, whatever the model.

The vector of a text is `[number of the input, 0.5, -0.1]`; documents come back in reverse order.
"""

import json
import re

import vendors

TOKENS = 7


def script_of(request):
    """The script for such a path; None for any other."""
    return SCRIPTS.get(request.path.split("/")[2]) if request.path.startswith("/vectors/") else None


def vector(place):
    return [float(place), 0.5, -0.10000000149011612]


async def cohere(request, connection):
    if request.path.endswith("/rerank"):
        return await answer(connection, {"id": "r-1", "results": ranking(request), "meta": {
            "api_version": {"version": "2"}, "billed_units": {"search_units": 1}}})
    types = {"float": vector, "int8": lambda place: [place, 127, -128]}
    texts = request.fields["texts"]
    embeddings = {name: [types[name](place) for place, _ in enumerate(texts)]
                  for name in request.fields["embedding_types"]}
    await answer(connection, {"id": "e-1", "embeddings": embeddings, "texts": texts, "meta": {
        "api_version": {"version": "2"}, "billed_units": {"input_tokens": TOKENS}}})


async def gemini(request, connection):
    """One text or many; each may repeat the model of the path, and no other."""
    texts, model = request.fields.get("requests", [request.fields]), f"models/{vendors.model_of(request.path)}"
    if any(text.get("model", model) != model for text in texts):
        error = {"code": 400, "message": "The model does not match that of the path.", "status": "INVALID_ARGUMENT"}
        return await connection.whole(json.dumps({"error": error}).encode(), 400)
    if request.path.endswith(":embedContent"):
        return await answer(connection, {"embedding": {"values": vector(0)}, "usageMetadata": {
            "promptTokenCount": TOKENS}})
    values = [{"values": vector(place)} for place, _ in enumerate(texts)]
    await answer(connection, {"embeddings": values, "usageMetadata": {"promptTokenCount": TOKENS}})


async def bedrock(request, connection):
    """Titan: one text at a time, whose number stands in it."""
    place = int(re.search(r"\d+", request.fields["inputText"])[0])
    await answer(connection, {"embedding": vector(place), "inputTextTokenCount": TOKENS})


async def openai(request, connection):
    inputs = request.fields["input"]
    data = [{"object": "embedding", "index": place, "embedding": vector(place)} for place, _ in enumerate(inputs)]
    await answer(connection, {"object": "list", "data": data, "model": "text-embedding-3-small",
                              "usage": {"prompt_tokens": TOKENS, "total_tokens": TOKENS}})


async def ollama(request, connection):
    inputs = request.fields["input"]
    values = [vector(place) for place, _ in enumerate(inputs if isinstance(inputs, list) else [inputs])]
    await answer(connection, {"model": request.model, "embeddings": values, "total_duration": 14143917,
                              "load_duration": 1019500, "prompt_eval_count": TOKENS})


async def jina(request, connection):
    await answer(connection, {"model": "jina-reranker-v3", "object": "list", "usage": {"total_tokens": TOKENS},
                              "results": ranking(request)})


def ranking(request):
    count = len(request.fields["documents"])
    places = list(reversed(range(count)))[: request.fields.get("top_n", count)]
    return [{"index": place, "relevance_score": 0.1 * place} for place in places]


async def answer(connection, body):
    await connection.whole(json.dumps(body).encode())


SCRIPTS = {"cohere": cohere, "gemini": gemini, "bedrock": bedrock, "ollama": ollama, "openai": openai,
           "jina": jina}
