"""Operations that are carried, as OpenAI's and Mistral's SDKs send them, to a provider that tells what came: every byte
of a file, and nothing of the gateway but the name of the model."""

import asyncio
import base64
import hashlib
import types

import openai
import pytest
from mistralai.client import Mistral

import carried

# Every value of a byte, and what stands between the parts of a form.
FILE = bytes(range(256)) * 400 + b"\r\n--boundary\r\n"
HERE = {"X-Gateway-Provider": "carrier"}


def file(name, kind):
    return {"filename": name, "type": kind, "bytes": len(FILE), "sha256": hashlib.sha256(FILE).hexdigest()}


@pytest.fixture(scope="module")
def mistral(house):
    with Mistral(api_key=house.key, server_url=house.gateway, timeout_ms=10_000) as client:
        yield client


@pytest.fixture
def asked(mark):
    """A model's name for the provider and for the application."""
    return types.SimpleNamespace(there=f"any:{mark}", here=f"carrier/any:{mark}")


def test_texts_are_moderated(client, journal, asked):
    answer = client.moderations.create(model=asked.here, input=["peace", "harm"])
    assert [result.flagged for result in answer.results] == [False, True]
    (request,) = journal(asked.there)
    assert request.fields == {"model": asked.there, "input": ["peace", "harm"]}


def test_a_picture_is_made(client, journal, asked):
    answer = client.images.generate(model=asked.here, prompt="a point", size="1024x1024", n=1)
    assert base64.b64decode(answer.data[0].b64_json) == carried.PICTURE
    assert answer.usage.total_tokens == 11
    (request,) = journal(asked.there)
    assert request.fields == {"model": asked.there, "prompt": "a point", "size": "1024x1024", "n": 1}


def test_a_picture_is_changed_with_its_mask(client, journal, asked):
    first, second, mask = ((f"{name}.png", FILE, "image/png") for name in ("first", "second", "mask"))
    answer = client.images.edit(model=asked.here, image=[first, second], mask=mask, prompt="grün")
    assert base64.b64decode(answer.data[0].b64_json) == carried.PICTURE
    (request,) = journal(asked.there)
    assert request.fields["prompt"] == "grün"
    assert request.fields["mask"] == file("mask.png", "image/png")
    assert request.fields["image[]"] == [file(f"{name}.png", "image/png") for name in ("first", "second")]


@pytest.mark.parametrize("operation", ["generate", "edit"])
def test_a_picture_comes_in_stages(client, journal, asked, operation):
    given = {"image": ("a.png", FILE, "image/png")} if operation == "edit" else {}
    stream = getattr(client.images, operation)(
        model=asked.here, prompt="a point", stream=True, partial_images=1, **given)
    part, last = stream
    assert (part.partial_image_index, base64.b64decode(last.b64_json)) == (0, carried.PICTURE)
    assert last.usage.total_tokens == 11
    (request,) = journal(asked.there)
    assert request.fields["stream"] in (True, "true")


def test_a_picture_is_varied(client, journal, asked):
    client.images.create_variation(model=asked.here, image=("a.png", FILE, "image/png"), n=1)
    (request,) = journal(asked.there)
    assert request.fields == {"model": asked.there, "image": file("a.png", "image/png"), "n": "1"}


def test_speech_comes_as_it_is_spoken(client, journal, asked, tmp_path):
    speech = client.audio.speech.with_streaming_response
    with speech.create(model=asked.here, voice="alloy", input="Hello.", response_format="mp3") as answer:
        assert answer.headers["content-type"] == "audio/mpeg"
        answer.stream_to_file(tmp_path / "speech.mp3")
    assert (tmp_path / "speech.mp3").read_bytes() == carried.SPEECH
    (request,) = journal(asked.there)
    assert request.fields["voice"] == "alloy"


@pytest.mark.parametrize("shape", ["json", "text", "verbose_json", "stream"])
def test_a_recording_is_written_down(client, journal, asked, shape):
    more = {"stream": True} if shape == "stream" else {"response_format": shape}
    recording = ("a.wav", FILE, "audio/wav")
    answer = client.audio.transcriptions.create(model=asked.here, file=recording, language="en", **more)
    if shape == "stream":
        *deltas, done = list(answer)
        assert "".join(event.delta for event in deltas) == done.text == carried.TRANSCRIPT
    else:
        assert (answer if shape == "text" else answer.text) == carried.TRANSCRIPT
    if shape == "verbose_json":
        assert answer.segments[0].end == 1.5
    (request,) = journal(asked.there)
    assert request.fields["file"] == file("a.wav", "audio/wav")
    assert request.fields["language"] == "en"


def test_files_are_kept_listed_read_and_deleted(client):
    mine = client.files.create(file=("a.jsonl", FILE), purpose="batch", extra_headers=HERE)
    assert (mine.bytes, mine.filename, mine.purpose) == (len(FILE), "a.jsonl", "batch")
    assert mine.id in [found.id for found in client.files.list(extra_headers=HERE)]
    assert client.files.retrieve(mine.id) == mine
    assert client.files.content(mine.id).read() == carried.SPEECH
    assert client.files.delete(mine.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(mine.id)


def test_a_large_file_is_uploaded_in_parts(client):
    begun = client.uploads.create(
        bytes=2 * len(FILE), filename="a.jsonl", mime_type="application/jsonl", purpose="batch", extra_headers=HERE)
    parts = [client.uploads.parts.create(begun.id, data=FILE).id for _ in range(2)]
    assert parts == [f"part_{hashlib.sha256(FILE).hexdigest()}"] * 2
    done = client.uploads.complete(begun.id, part_ids=parts)
    assert (done.status, done.file.bytes) == ("completed", 2 * len(FILE))
    assert client.files.retrieve(done.file.id).id == done.file.id


def test_a_batch_goes_where_its_file_is(client):
    mine = client.files.create(file=("a.jsonl", FILE), purpose="batch", extra_headers=HERE)
    batch = client.batches.create(input_file_id=mine.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert (batch.status, batch.input_file_id) == ("validating", mine.id)
    assert client.batches.retrieve(batch.id).id == batch.id
    assert batch.id in [found.id for found in client.batches.list(extra_headers=HERE)]
    assert client.batches.cancel(batch.id).status == "cancelling"


def test_an_asynchronous_client_does_the_same(new_async_client, journal, asked):
    async def ask():
        async with new_async_client() as client:
            speech = await client.audio.speech.create(model=asked.here, voice="alloy", input="Hello.")
            text = await client.audio.transcriptions.create(model=asked.here, file=("a.wav", FILE, "audio/wav"))
            made = await client.files.create(file=("a.jsonl", FILE), purpose="batch", extra_headers=HERE)
            return speech.content, text.text, (await client.files.delete(made.id)).deleted

    assert asyncio.run(ask()) == (carried.SPEECH, carried.TRANSCRIPT, True)
    assert journal(asked.there)[1].fields["file"] == file("a.wav", "audio/wav")


def test_mistrals_sdk_gets_vectors_with_mistrals_own_words(mistral, journal, mark):
    model = f"fine-tuned-embed:{mark}"
    answer = mistral.embeddings.create(
        model=f"mistral/{model}", inputs=["a", "b"], output_dimension=3, output_dtype="int8")
    assert [row.embedding for row in answer.data] == [[1, -2, 127], [1, -2, 127]]
    assert answer.usage.prompt_tokens == 7
    (request,) = journal(model)
    assert request.fields == {"model": model, "input": ["a", "b"], "output_dimension": 3, "output_dtype": "int8"}


def test_mistrals_sdk_moderates_texts_and_conversations(mistral, journal, mark):
    model = f"mistral-moderation:{mark}"
    answer = mistral.classifiers.moderate(model=f"mistral/{model}", inputs=["peace", "harm"])
    assert [result.categories["violence"] for result in answer.results] == [False, True]
    conversation = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    answer = mistral.classifiers.moderate_chat(model=f"mistral/{model}", inputs=conversation)
    assert answer.results[0].categories == {"violence_and_threats": False}
    texts, messages = (request.fields["input"] for request in journal(model))
    assert texts == ["peace", "harm"]
    assert [message["content"] for message in messages] == ["Hi", "Hello"]


def test_mistrals_sdk_writes_a_recording_down(mistral, journal, mark):
    model = f"voxtral-mini:{mark}"
    sent = {"file_name": "a.wav", "content": FILE}
    answer = mistral.audio.transcriptions.complete(model=f"mistral/{model}", file=sent, language="en")
    assert (answer.text, answer.usage.total_tokens) == (carried.TRANSCRIPT, 18)
    (request,) = journal(model)
    assert (request.fields["file"]["sha256"], request.fields["language"]) == (file("", "")["sha256"], "en")


def test_mistrals_sdk_reads_pages_by_pass_through(house, journal, mark):
    # The path goes below the provider's origin, and there Mistral's own would follow.
    below = f"{house.gateway}/passthrough/mistral/carried"
    with Mistral(api_key=house.key, server_url=below, timeout_ms=10_000) as mistral:
        document = {"type": "document_url", "document_url": "https://example.com/a.pdf"}
        answer = mistral.ocr.process(model=f"mistral-ocr:{mark}", document=document)
    assert answer.pages[0].markdown == "# A page"
    (request,) = journal(f"mistral-ocr:{mark}")
    assert request.headers["authorization"] == f"Bearer {house.provider_key}"
    assert request.fields["document"] == document
