"""Operations that are carried rather than understood: pictures, audio, files, batches and realtime, as the SDK sends them."""

import asyncio
import base64
import json
import os
import socket
import subprocess
import threading
import time
import urllib.request

import openai
import pytest
from websockets.sync.server import serve

ECHO = "sandbox/echo"
AT_SANDBOX = {"X-Gateway-Provider": "sandbox"}
# Large enough to come in many pieces.
RECORDING = ("a.wav", b"RIFF" + bytes(3_000_000), "audio/wav")


def test_a_picture_is_made_and_changed(client):
    made = client.images.generate(model=ECHO, prompt="a grey point")
    assert base64.b64decode(made.data[0].b64_json).startswith(b"\x89PNG")
    assert made.usage.total_tokens == 2
    changed = client.images.edit(model=ECHO, image=("a.png", b"\x89PNG", "image/png"), prompt="greyer")
    assert changed.data[0].b64_json == made.data[0].b64_json


def test_speech_streams_to_a_file(client, tmp_path):
    with client.audio.speech.with_streaming_response.create(model=ECHO, voice="alloy", input="hello") as answer:
        answer.stream_to_file(tmp_path / "speech.wav")
    assert (tmp_path / "speech.wav").read_bytes().startswith(b"RIFF")


def test_a_recording_is_written_down(client):
    assert "sandbox heard" in client.audio.transcriptions.create(model=ECHO, file=RECORDING).text
    assert "sandbox heard" in client.audio.translations.create(model=ECHO, file=RECORDING).text
    text = client.audio.transcriptions.create(model=ECHO, file=RECORDING, response_format="text")
    assert "sandbox heard" in text


def test_a_transcription_streams(client):
    events = list(client.audio.transcriptions.create(model=ECHO, file=RECORDING, stream=True))
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]


def test_an_asynchronous_client_sends_a_form_too(new_async_client):
    async def ask():
        async with new_async_client() as client:
            return await client.audio.transcriptions.create(model=ECHO, file=RECORDING)

    assert "sandbox heard" in asyncio.run(ask()).text


def test_a_file_is_made_found_read_and_deleted(client):
    file = client.files.create(file=("a.jsonl", b"{}\n" * 1000), purpose="batch", extra_headers=AT_SANDBOX)
    # The gateway knows where it was made.
    assert client.files.retrieve(file.id).id == file.id
    assert client.files.content(file.id).content == b"the sandbox keeps no files\n"
    assert client.files.list(extra_headers=AT_SANDBOX).data == []
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert client.batches.retrieve(batch.id).status == "completed"
    assert client.files.delete(file.id).deleted


def test_a_file_of_somebody_else_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.files.content("file-of-somebody-else")
    assert caught.value.code == "object_not_found"


def test_fine_tuning_is_off(client):
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.fine_tuning.jobs.list()
    assert caught.value.code == "operation_disabled"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answer_once(connection):
    """Plays OpenAI's Realtime: one event at the beginning, one answer to each event."""
    assert connection.request.headers["Authorization"] == "Bearer sk-of-the-provider"
    assert connection.request.path == "/v1/realtime?model=gpt-realtime"
    connection.send(json.dumps({"type": "session.created", "event_id": "e1", "session": {"type": "realtime"}}))
    for message in connection:
        assert json.loads(message)["type"] == "response.create"
        usage = {"total_tokens": 30, "input_tokens": 10, "output_tokens": 20}
        response = {"id": "r1", "object": "realtime.response", "status": "completed", "output": [], "usage": usage}
        connection.send(json.dumps({"type": "response.done", "event_id": "e2", "response": response}))


@pytest.fixture
def realtime(tmp_path):
    """A gateway in front of a provider of realtime; gives its address."""
    if "AI_GATEWAY_BINARY" not in os.environ:
        pytest.skip("needs the gateway's program")
    with serve(answer_once, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = free_port()
        (tmp_path / "gateway.yaml").write_text(
            f'listen: "127.0.0.1:{port}"\nproviders:\n  - name: live\n    type: openai-compatible\n    proxy: direct\n'
            f"    endpoint: http://127.0.0.1:{server.socket.getsockname()[1]}/v1\n    api_key: sk-of-the-provider\n")
        arguments = [os.environ["AI_GATEWAY_BINARY"], "--config", str(tmp_path / "gateway.yaml")]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, env={}) as gateway:
            gateway.stdout.readline()
            yield f"127.0.0.1:{port}"
            gateway.kill()
        server.shutdown()


def test_a_realtime_conversation_is_carried(realtime):
    with openai.OpenAI(base_url=f"http://{realtime}/v1", websocket_base_url=f"ws://{realtime}/v1",
                       api_key="any") as client:
        with client.realtime.connect(model="live/gpt-realtime") as connection:
            assert connection.recv().type == "session.created"
            connection.response.create()
            done = connection.recv()
            assert (done.type, done.response.usage.total_tokens) == ("response.done", 30)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://{realtime}/metrics") as metrics:
            if 'operation="realtime"' in metrics.read().decode():
                return
    pytest.fail("the conversation was not counted")
