"""What every test gets: the house (see ../house.py), clients whose only change is the base URL, and the journal of the
scripted provider."""

import json
import os
import pathlib
import subprocess
import sys
import types
import urllib.parse
import urllib.request
import uuid

import openai
import pytest

HOUSE = pathlib.Path(__file__).parent.parent / "house.py"
# Otherwise LiteLLM fetches a list of prices when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
# The scripted provider's own modules, which some tests read along with.
sys.path.append(str(HOUSE.parent))


@pytest.fixture(scope="session")
def house():
    arguments = [] if "AI_GATEWAY_BINARY" in os.environ else ["--without-gateway"]
    with subprocess.Popen([sys.executable, HOUSE, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        line = process.stdout.readline()
        assert line, "the house did not start; what it said is above"
        yield types.SimpleNamespace(**json.loads(line))
        process.stdin.close()


@pytest.fixture(scope="session")
def client(house):
    """One for all, because the SDK takes long to make one."""
    with openai.OpenAI(base_url=house.base_url, api_key=house.key, max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def new_async_client(house):
    """A function, because an asynchronous client belongs to the loop in which it is used."""
    return lambda: openai.AsyncOpenAI(base_url=house.base_url, api_key=house.key, max_retries=0, timeout=10)


@pytest.fixture
def vendors():
    """Vendors that check who asks: see provider_vendors.py."""
    # Few tests need what it brings.
    import provider_vendors
    with provider_vendors.running() as server:
        yield server


@pytest.fixture
def mark():
    """Tells the requests of this test from those of others: the scripted provider ignores what follows the colon."""
    return uuid.uuid4().hex[:8]


@pytest.fixture
def journal(house):
    """What the scripted provider was asked for under a model's name; `ended` waits until so many requests ended."""

    def read(model, ended=0):
        query = urllib.parse.urlencode({"model": model, "ended": ended})
        with urllib.request.urlopen(f"{house.provider}/journal?{query}", timeout=15) as answer:
            return [types.SimpleNamespace(**request) for request in json.load(answer)]

    return read


@pytest.fixture
def question():
    return [{"role": "user", "content": "Say something friendly."}]
