"""What the tests know of the providers' formats: the models to ask for, what the fixtures say, and where a thing stands
in a request."""

import json

# A real model of each provider, because what a model can do is told by its name. The scripts are in ../vendors.py.
MODELS = {"open": "gpt-5.5", "claude": "claude-sonnet-5-5", "gemini": "gemini-3-pro",
          "bedrock": "eu.anthropic.claude-sonnet-5-5", "cohere": "command-a-plus-05-2026", "ollama": "qwen3"}
PROVIDERS = list(MODELS)
# Who gives out signatures beside thoughts and wants to see them again.
SIGNING = ["claude", "gemini", "bedrock"]

TEXT = 'Hello, wörld 🌍.\n"Quoted"'
THOUGHT, CONCLUSION = "7 does not divide it.", "Yes."
STRUCTURED = {"name": "Zoë", "age": 7}
# A stream that breaks: what the provider says in its own format, or nothing at all.
BREAKS = [
    *((provider, script) for provider in PROVIDERS for script in ("broken-off-in-the-middle", "cut")),
    ("open", "broken-error-in-the-stream"), ("claude", "broken-overloaded"), ("gemini", "broken-error-in-the-stream"),
    *(("bedrock", f"broken-{how}") for how in ("throttled", "model-error")),
    ("cohere", "broken-by-an-error"), ("ollama", "broken-error-in-the-stream"),
]
INPUT_TOKENS, OUTPUT_TOKENS = 20, 10
# Ollama does not tell of tokens that it had in its cache; three do not tell of those that were thoughts.
CACHED_TOKENS = {provider: 0 if provider == "ollama" else 4 for provider in MODELS}
THOUGHT_TOKENS = {provider: 3 if provider in ("open", "claude", "gemini") else 0 for provider in MODELS}

# One red pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def named(provider, script, mark=None):
    """The model's name as the provider gets it; the application puts `provider/` before it."""
    return f"{MODELS[provider]}--{script}" + (f":{mark}" if mark else "")


def format_of(provider, request):
    """Whose format a request has: Claude at Bedrock is told what Anthropic's clients say as they say it."""
    return "claude" if request.path.rpartition("/")[2].startswith("invoke") else provider


def image_in(provider, request):
    """The media type and the base64 of the image in the last message."""
    body, provider = json.loads(request.body), format_of(provider, request)
    if provider == "bedrock":
        (image,) = [part["image"] for part in body["messages"][-1]["content"] if "image" in part]
        return f"image/{image['format']}", image["source"]["bytes"]
    if provider == "ollama":
        # It takes the bytes alone.
        (data,) = body["messages"][-1]["images"]
        return "image/png", data
    if provider in ("open", "cohere"):
        (url,) = [part["image_url"]["url"] for part in body["messages"][-1]["content"] if part["type"] == "image_url"]
        kind, _, data = url.removeprefix("data:").partition(";base64,")
        return kind, data
    if provider == "claude":
        (image,) = [part["source"] for part in body["messages"][-1]["content"] if part["type"] == "image"]
        return image["media_type"], image["data"]
    (image,) = [part["inlineData"] for part in body["contents"][-1]["parts"] if "inlineData" in part]
    # Google takes both alphabets of base64; its own SDK writes the other one.
    return either(image, "mimeType", "mime_type"), image["data"].replace("-", "+").replace("_", "/")


def schema_in(provider, request):
    """The schema that the answer shall follow."""
    body, provider = json.loads(request.body), format_of(provider, request)
    if provider == "open":
        return body["response_format"]["json_schema"]["schema"]
    if provider == "cohere":
        return body["response_format"]["json_schema"]
    if provider == "ollama":
        return body["format"]
    if provider == "bedrock":
        return json.loads(body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"])
    if provider == "claude":
        return body["output_config"]["format"]["schema"]
    settings = body["generationConfig"]
    return either(settings, "responseJsonSchema", "responseSchema", "response_schema")


def call_and_result_in(provider, request):
    """Name, arguments and result of the one call in the history, once it is clear that they belong together."""
    body, provider = json.loads(request.body), format_of(provider, request)
    if provider in ("open", "cohere"):
        (call,) = [call for message in body["messages"] for call in message.get("tool_calls", [])]
        (result,) = [message for message in body["messages"] if message["role"] == "tool"]
        assert result["tool_call_id"] == call["id"]
        return call["function"]["name"], json.loads(call["function"]["arguments"]), text_of(result["content"])
    if provider == "claude":
        blocks = [part for message in body["messages"] if isinstance(message["content"], list)
                  for part in message["content"]]
        (call,) = [part for part in blocks if part["type"] == "tool_use"]
        (result,) = [part for part in blocks if part["type"] == "tool_result"]
        assert result["tool_use_id"] == call["id"]
        return call["name"], call["input"], text_of(result["content"])
    if provider == "bedrock":
        blocks = [part for message in body["messages"] for part in message["content"]]
        (call,) = [part["toolUse"] for part in blocks if "toolUse" in part]
        (result,) = [part["toolResult"] for part in blocks if "toolResult" in part]
        assert result["toolUseId"] == call["toolUseId"]
        return call["name"], call["input"], "".join(part["text"] for part in result["content"])
    if provider == "ollama":
        (call,) = [call["function"] for message in body["messages"] for call in message.get("tool_calls", [])]
        (result,) = [message for message in body["messages"] if message["role"] == "tool"]
        assert result["tool_name"] == call["name"]
        return call["name"], call["arguments"], result["content"]
    parts = [part for content in body["contents"] for part in content["parts"]]
    (call,) = [part["functionCall"] for part in parts if "functionCall" in part]
    (result,) = [part["functionResponse"] for part in parts if "functionResponse" in part]
    assert result["name"] == call["name"] and result.get("id") == call.get("id")
    (value,) = result["response"].values()
    return call["name"], call["args"], value


def either(record, *names):
    """What stands under the first of these names: Google takes more than one spelling, and its SDK mixes them."""
    return next(record[name] for name in names if name in record)


def text_of(content):
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def tool_schema_in(provider, request):
    """The schema of the only tool's arguments, without the spelling that differs."""
    body, provider = json.loads(request.body), format_of(provider, request)
    if provider == "bedrock":
        (tool,) = body["toolConfig"]["tools"]
        return tool["toolSpec"]["inputSchema"]["json"]
    (tool,) = body["tools"]
    if provider in ("open", "cohere", "ollama"):
        return tool["function"]["parameters"]
    if provider == "claude":
        return tool["input_schema"]
    (function,) = tool["functionDeclarations"]
    return either(function, "parametersJsonSchema", "parameters_json_schema", "parameters")


def key_in(provider, request):
    """The key that the provider was shown."""
    header = {"claude": "x-api-key", "gemini": "x-goog-api-key"}.get(provider, "authorization")
    return request.headers[header].removeprefix("Bearer ")
