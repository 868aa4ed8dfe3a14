"""Writes vectors.json: what usage costs at a model, by an independent calculator (LiteLLM's `completion_cost`).

    python -m venv venv && venv/bin/pip install litellm==1.106.2
    venv/bin/python make.py model_prices_and_context_window.json > vectors.json

The calculator is given the very price file that the catalogue was made from, so that the vectors test the arithmetic and not
the age of a price. Each vector is a usage and the nanodollars that it costs, rounded half up. Models are those of the file in
their order, every Nth of those that chat and have prices for tokens alone.
"""

import json
import os
import sys
from decimal import ROUND_HALF_UP, Decimal

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm  # noqa: E402
from litellm.types.utils import (  # noqa: E402
    CompletionTokensDetailsWrapper,
    PromptTokensDetailsWrapper,
    Usage,
)

PROVIDERS = {
    "openai": ("openai", ""), "anthropic": ("anthropic", ""), "gemini": ("gemini", "gemini/"),
    "mistral": ("mistral", "mistral/"), "deepseek": ("deepseek", "deepseek/"), "groq": ("groq", "groq/"),
    "xai": ("xai", "xai/"), "together_ai": ("together", "together_ai/"), "watsonx": ("watsonx", "watsonx/"),
    "azure": ("azure-openai", "azure/"), "fireworks_ai": ("fireworks", "fireworks_ai/"),
    "bedrock_converse": ("bedrock", ""), "dashscope": ("dashscope", "dashscope/"), "moonshot": ("moonshot", "moonshot/"),
}
# Plain; cached; written to the cache for minutes and for an hour; reasoning; long.
USAGES = [
    {"input_tokens": 1234, "output_tokens": 567},
    {"input_tokens": 20011, "output_tokens": 701, "cached_input_tokens": 15007},
    {"input_tokens": 9001, "output_tokens": 333, "cache_write_tokens": 4001, "cache_write_1h_tokens": 1501},
    {"input_tokens": 777, "output_tokens": 3001, "reasoning_tokens": 2503},
    {"input_tokens": 280001, "output_tokens": 1009, "cached_input_tokens": 100003},
    {"input_tokens": 50021, "output_tokens": 1999, "service_tier": "flex"},
    {"input_tokens": 50021, "output_tokens": 1999, "cached_input_tokens": 2003, "service_tier": "priority"},
]
PER_PROVIDER = 12


def told(usage):
    prompt = PromptTokensDetailsWrapper(
        cached_tokens=usage.get("cached_input_tokens", 0),
        cache_creation_tokens=usage.get("cache_write_tokens", 0),
        cache_creation_token_details={
            "ephemeral_1h_input_tokens": usage.get("cache_write_1h_tokens", 0),
            "ephemeral_5m_input_tokens": usage.get("cache_write_tokens", 0) - usage.get("cache_write_1h_tokens", 0),
        } if "cache_write_tokens" in usage else None,
    )
    completion = CompletionTokensDetailsWrapper(reasoning_tokens=usage.get("reasoning_tokens", 0))
    return Usage(
        prompt_tokens=usage["input_tokens"], completion_tokens=usage["output_tokens"],
        total_tokens=usage["input_tokens"] + usage["output_tokens"],
        prompt_tokens_details=prompt, completion_tokens_details=completion,
        cache_creation_input_tokens=usage.get("cache_write_tokens", 0),
        cache_read_input_tokens=usage.get("cached_input_tokens", 0),
    )


def fits(entry, usage):
    """Whether the vendor's list has a price for each part: what a missing one means is a matter of opinion."""
    has = lambda key: entry.get(key)
    if "off_peak_pricing" in entry:
        return False
    tier = usage.get("service_tier")
    if tier and not (has(f"input_cost_per_token_{tier}") and has(f"output_cost_per_token_{tier}")):
        return False
    if "cached_input_tokens" in usage and not has("cache_read_input_token_cost" + (f"_{tier}" if tier else "")):
        return False
    if "cache_write_1h_tokens" in usage and not has("cache_creation_input_token_cost_above_1hr"):
        return False
    if "reasoning_tokens" in usage and not has("supports_reasoning"):
        return False
    return True


def main():
    prices = json.load(open(sys.argv[1]))
    prices.pop("sample_spec", None)
    litellm.model_cost = prices
    for name in dir(litellm.utils):
        cached = getattr(getattr(litellm.utils, name), "cache_clear", None)
        if cached:
            cached()
    vectors, seen = [], {}
    for key, entry in prices.items():
        family = entry.get("litellm_provider")
        if family not in PROVIDERS or entry.get("mode") not in ("chat", "responses"):
            continue
        type_id, prefix = PROVIDERS[family]
        name = key.removeprefix(prefix)
        if not entry.get("input_cost_per_token") or not entry.get("output_cost_per_token"):
            continue
        if "/" in name and type_id not in ("groq", "together", "fireworks", "watsonx"):
            continue
        if name.startswith(("together-ai-", "fireworks-ai-")):  # classes of sizes
            continue
        if seen.get(type_id, 0) >= PER_PROVIDER or name == "core42/jais-13b-chat":
            continue
        made = 0
        for usage in USAGES:
            if not fits(entry, usage):
                continue
            try:
                cost = litellm.cost_calculator.cost_per_token(
                    model=key, custom_llm_provider=family, usage_object=told(usage),
                    service_tier=usage.get("service_tier"),
                )
            except Exception as error:  # noqa: BLE001
                print(f"{key}: {error}", file=sys.stderr)
                continue
            nanos = (Decimal(repr(cost[0])) + Decimal(repr(cost[1]))) * 10**9
            total = int(nanos.quantize(Decimal(1), rounding=ROUND_HALF_UP))
            vectors.append({"provider": type_id, "model": name, "usage": usage, "nanodollars": total})
            made += 1
        if made:
            seen[type_id] = seen.get(type_id, 0) + 1
    rows = ",\n".join(json.dumps(vector) for vector in vectors)
    print("[\n" + rows + "\n]")
    print(len(vectors), seen, file=sys.stderr)


main()
