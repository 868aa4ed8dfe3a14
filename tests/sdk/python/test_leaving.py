"""An application that leaves: the provider must not go on working for nobody."""

import asyncio
import time

import openai
import pytest

AT_ONCE_SECONDS = 1.0


@pytest.fixture
def provider_saw_us_leave(journal):
    """Waits until the provider saw the connection close, and says how long that took."""

    def wait(model):
        left_at = time.monotonic()
        (request,) = journal(model, ended=1)
        assert request.ended == "left"
        return time.monotonic() - left_at

    return wait


def test_a_timeout_of_the_sdk_cancels_the_call_to_the_provider(client, provider_saw_us_leave, mark, question):
    model = f"silent:{mark}"
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).chat.completions.create(model=f"scripted/{model}", messages=question)
    assert provider_saw_us_leave(model) < AT_ONCE_SECONDS


def test_a_timeout_between_two_chunks_cancels_the_call_to_the_provider(client, provider_saw_us_leave, mark, question):
    model = f"stalled:{mark}"
    stream = client.with_options(timeout=0.3).chat.completions.create(
        model=f"scripted/{model}", messages=question, stream=True)
    with pytest.raises(Exception, match="timed out|timeout"):
        for _ in stream:
            pass
    stream.close()
    assert provider_saw_us_leave(model) < AT_ONCE_SECONDS


def test_a_stream_that_is_closed_cancels_the_call_to_the_provider(client, provider_saw_us_leave, mark, question):
    model = f"endless:{mark}"
    with client.chat.completions.create(model=f"scripted/{model}", messages=question, stream=True) as stream:
        for number, _ in enumerate(stream):
            if number == 5:
                break
    assert provider_saw_us_leave(model) < AT_ONCE_SECONDS


def test_a_cancelled_task_cancels_the_call_to_the_provider(new_async_client, provider_saw_us_leave, mark, question):
    model = f"endless:{mark}"

    async def read_until_cancelled():
        async with new_async_client() as client:
            async def read():
                async for _ in await client.chat.completions.create(
                        model=f"scripted/{model}", messages=question, stream=True):
                    started.set()

            started = asyncio.Event()
            task = asyncio.create_task(read())
            async with asyncio.timeout(5):
                await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(read_until_cancelled())
    assert provider_saw_us_leave(model) < AT_ONCE_SECONDS


def test_others_are_served_after_somebody_left(client, provider_saw_us_leave, mark, question):
    model = f"endless:{mark}"
    with client.chat.completions.create(model=f"scripted/{model}", messages=question, stream=True) as stream:
        next(iter(stream))
    provider_saw_us_leave(model)
    assert client.chat.completions.create(model="scripted/chat", messages=question).choices
