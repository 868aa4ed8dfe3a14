"""Starts a gateway with the scripted provider behind it, tells where they are in one line of JSON, and ends both when
its standard input is closed. Both suites use it.

The gateway is the program that the variable AI_GATEWAY_BINARY names. With `--without-gateway` the applications talk to
the scripted provider directly; that is for work on the provider itself.
"""

import asyncio
import json
import os
import pathlib
import socket
import sys
import tempfile
import urllib.error
import urllib.request

import upstream

# Where another provider than the scripted one listens, that a suite has started itself.
INDEPENDENT = "INDEPENDENT_PROVIDER"
START_SECONDS = 20
KEY = "sk-house-of-the-sdk-tests"
PROVIDER_KEY = "sk-scripted-provider-0000"
CONFIGURATION = """\
profile: local
listen: "127.0.0.1:{port}"
auth:
  mode: required
  keys:
    - {{ name: sdk-tests, key: "${{HOUSE_KEY}}" }}
logging: {{ format: pretty, level: warn, requests: false }}
# Errors are what many tests want to see, at once.
routing: {{ retry_attempts: 0 }}
providers:
  - name: scripted
    type: openai-compatible
    endpoint: http://127.0.0.1:{upstream}/v1
    api_key: ${{PROVIDER_KEY}}
    timeout: {{ idle: 2s }}
  - name: listed
    type: openai-compatible
    endpoint: http://127.0.0.1:{upstream}/v1
    models: [gpt-4o-mini]
  - name: impatient
    type: openai-compatible
    endpoint: http://127.0.0.1:{upstream}/v1
    timeout: {{ first_byte: 300ms }}
  - name: open
    type: openai-compatible
    endpoint: http://127.0.0.1:{upstream}/open/v1
    api_key: ${{PROVIDER_KEY}}
    timeout: {{ idle: 2s }}
  - name: claude
    type: anthropic
    endpoint: http://127.0.0.1:{upstream}/claude/v1
    api_key: ${{PROVIDER_KEY}}
    timeout: {{ idle: 2s }}
  - name: gemini
    type: gemini
    endpoint: http://127.0.0.1:{upstream}/gemini/v1beta
    api_key: ${{PROVIDER_KEY}}
    timeout: {{ idle: 2s }}
  - name: bedrock
    type: bedrock
    endpoint: http://127.0.0.1:{upstream}/bedrock
    api_key: ${{PROVIDER_KEY}}
    timeout: {{ idle: 2s }}
  - name: cohere
    type: cohere
    endpoint: http://127.0.0.1:{upstream}/cohere/v2
    api_key: ${{PROVIDER_KEY}}
    timeout: {{ idle: 2s }}
  - name: ollama
    type: ollama-native
    endpoint: http://127.0.0.1:{upstream}/ollama
    api_key: ${{PROVIDER_KEY}}
    timeout: {{ idle: 2s }}
  - name: cohere-vectors
    type: cohere
    endpoint: http://127.0.0.1:{upstream}/vectors/cohere/v2
    api_key: ${{PROVIDER_KEY}}
  - name: gemini-vectors
    type: gemini
    endpoint: http://127.0.0.1:{upstream}/vectors/gemini/v1beta
    api_key: ${{PROVIDER_KEY}}
  - name: bedrock-vectors
    type: bedrock
    endpoint: http://127.0.0.1:{upstream}/vectors/bedrock
    api_key: ${{PROVIDER_KEY}}
  - name: openai-vectors
    type: openai-compatible
    endpoint: http://127.0.0.1:{upstream}/vectors/openai/v1
    api_key: ${{PROVIDER_KEY}}
  - name: ollama-vectors
    type: ollama-native
    endpoint: http://127.0.0.1:{upstream}/vectors/ollama
    api_key: ${{PROVIDER_KEY}}
  - name: carrier
    type: openai-compatible
    endpoint: http://127.0.0.1:{upstream}/carried/v1
    api_key: ${{PROVIDER_KEY}}
  - name: mistral
    type: mistral
    endpoint: http://127.0.0.1:{upstream}/carried/v1
    api_key: ${{PROVIDER_KEY}}
    passthrough: true
  - name: jina-orders
    type: jina
    endpoint: http://127.0.0.1:{upstream}/vectors/jina/v1
    api_key: ${{PROVIDER_KEY}}
  - name: nobody-there
    type: openai-compatible
    endpoint: http://127.0.0.1:{closed}/v1
{independent}
routes:
  - name: hangs-at-first
    targets:
      - {{ provider: scripted, model: silent }}
      - {{ provider: listed, model: gpt-4o-mini }}
aliases:
  house-model: scripted/gpt-4o-mini
"""
# The formats of the other provider: the type of each and its path there.
FORMATS = {"openai": "/v1", "anthropic": "/v1", "gemini": "/v1beta", "bedrock": "", "cohere": "/v2",
           "ollama-native": ""}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def start_gateway(folder, upstream_port):
    """Starts the gateway and waits until it is ready; returns the process and its address."""
    port = free_port()
    file = pathlib.Path(folder) / "gateway.yaml"
    file.write_text(CONFIGURATION.format(port=port, upstream=upstream_port, closed=free_port(),
                                         independent=independent(os.environ.get(INDEPENDENT))))
    environment = {"PATH": os.environ.get("PATH", ""), "HOUSE_KEY": KEY, "PROVIDER_KEY": PROVIDER_KEY}
    process = await asyncio.create_subprocess_exec(
        os.environ["AI_GATEWAY_BINARY"], "--config", str(file),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, env=environment, cwd=folder)
    async with asyncio.timeout(START_SECONDS):
        while not await asyncio.to_thread(ready, port):
            if process.returncode is not None:
                raise SystemExit(f"the gateway ended at its start with code {process.returncode}")
            await asyncio.sleep(0.02)
    return process, f"http://127.0.0.1:{port}"


def independent(address):
    """A provider of every format at this address."""
    return "" if address is None else "".join(
        f"  - {{ name: other-{kind}, type: {kind}, endpoint: '{address}{path}', api_key: '${{PROVIDER_KEY}}', "
        f"timeout: {{ idle: 2s }} }}\n" for kind, path in FORMATS.items())


def ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


async def main():
    server, upstream_port = await upstream.start()
    provider = f"http://127.0.0.1:{upstream_port}"
    gateway, address = None, provider
    with tempfile.TemporaryDirectory() as folder:
        try:
            if "--without-gateway" not in sys.argv:
                gateway, address = await start_gateway(folder, upstream_port)
            told = {"base_url": f"{address}/v1", "gateway": address, "provider": provider, "key": KEY,
                    "provider_key": PROVIDER_KEY}
            print(json.dumps(told), flush=True)
            await asyncio.to_thread(sys.stdin.read)
        finally:
            if gateway is not None and gateway.returncode is None:
                gateway.kill()
                await gateway.wait()
            server.close()


if __name__ == "__main__":
    asyncio.run(main())
