"""A gateway of a test's own, with the providers that it wants, in front of the vendors of provider_vendors.py."""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

BINARY = os.environ.get("AI_GATEWAY_BINARY")
START_SECONDS = 20
needs_gateway = pytest.mark.skipif(BINARY is None, reason="AI_GATEWAY_BINARY names no gateway")


class Gateway:
    def __init__(self, url):
        self.url = url

    def chat(self, model):
        """Status and answer of a small conversation."""
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi."}]}).encode()
        request = urllib.request.Request(f"{self.url}/v1/chat/completions", body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def says_hello(self, model):
        status, answer = self.chat(model)
        assert status == 200, answer
        assert answer["choices"][0]["message"]["content"] == "Hello."


@contextlib.contextmanager
def running(folder, providers, environment=None):
    """A gateway with these providers; a list of sections, as JSON, which is YAML too."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = folder / "gateway.yaml"
    file.write_text(json.dumps({"listen": f"127.0.0.1:{port}", "providers": providers}))
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([BINARY, "--config", str(file)], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   env={"PATH": os.environ["PATH"], **(environment or {})}, cwd=folder)
        try:
            url = f"http://127.0.0.1:{port}"
            end = time.monotonic() + START_SECONDS
            while not is_ready(url):
                assert process.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.02)
            yield Gateway(url)
        finally:
            process.kill()
            process.wait()


def is_ready(url):
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def told(folder):
    return (folder / "log").read_text()


def provider(kind, endpoint, **more):
    return {"name": "p", "type": kind, "endpoint": endpoint, **more}
