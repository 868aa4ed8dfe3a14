"""Every error is the exception that an application already catches, with an id to ask about."""

import openai
import pytest

EXCEPTIONS = {
    400: (openai.BadRequestError, "invalid_value"),
    404: (openai.NotFoundError, "model_not_found"),
    409: (openai.ConflictError, "conflict"),
    422: (openai.UnprocessableEntityError, "unprocessable"),
    429: (openai.RateLimitError, "rate_limit_exceeded"),
    500: (openai.InternalServerError, None),
    503: (openai.InternalServerError, "overloaded"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", EXCEPTIONS)
def test_the_providers_error_is_the_exception_that_the_sdk_knows(client, question, status, stream):
    kind, code = EXCEPTIONS[status]
    with pytest.raises(kind) as caught:
        client.chat.completions.create(model=f"scripted/error-{status}", messages=question, stream=stream)
    error = caught.value
    assert error.status_code == status
    assert error.request_id and error.request_id == error.response.headers["x-gateway-request-id"]
    assert error.response.headers["x-provider-used"] == "scripted"
    if code is not None:
        assert error.code == code


def test_the_providers_own_words_and_the_field_at_fault_arrive(client, question):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="scripted/error-400", messages=question)
    assert "expected a value less than or equal to 2" in caught.value.message
    assert caught.value.param == "temperature"
    assert caught.value.type == "invalid_request_error"


def test_a_limit_of_the_provider_says_how_long_to_wait(client, question):
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="scripted/error-429", messages=question)
    assert caught.value.response.headers["retry-after"] == "20"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_provider_key_is_an_error_of_the_server_that_shows_nothing_of_it(client, house, question, status):
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=f"scripted/error-{status}", messages=question)
    assert caught.value.status_code == 502 and caught.value.code == "provider_authentication"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.request_id
    assert "sk-scrip" not in str(caught.value.body) and house.provider_key not in str(caught.value.body)


def test_a_key_that_is_not_known_is_an_authentication_error(house, question):
    with openai.OpenAI(base_url=house.base_url, api_key="sk-somebody-elses-0000000", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as caught:
            stranger.chat.completions.create(model="scripted/chat", messages=question)
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id
    assert "sk-somebody" not in str(caught.value.body)


def test_a_model_that_nobody_serves_is_not_found_and_its_neighbour_is_named(client, question):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-4o-minni", messages=question)
    assert caught.value.code == "model_not_found"
    assert "gpt-4o-mini" in caught.value.message
    assert caught.value.request_id


def test_a_request_of_the_wrong_shape_is_a_bad_request_that_names_the_field(client, question):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="scripted/chat", messages=question, extra_body={"stream": "yes"})
    assert caught.value.param == "stream"
    assert caught.value.request_id


def test_a_path_that_does_not_exist_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.post("/no/such/path", cast_to=object, body={})
    assert caught.value.request_id


@pytest.mark.parametrize("model", ["nobody-there/chat", "scripted/cut-body", "scripted/not-json"])
def test_a_provider_that_cannot_be_reached_or_talks_nonsense_is_a_server_error(client, question, model):
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=model, messages=question)
    assert caught.value.status_code == 502
    assert caught.value.code.startswith("provider_")
    assert caught.value.request_id


def test_a_provider_that_does_not_answer_in_time_is_a_server_error(client, question):
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="impatient/silent", messages=question)
    assert caught.value.status_code == 504
    assert caught.value.code == "provider_timeout"


def test_the_sdks_own_retry_waits_as_long_as_the_provider_asked(client, journal, mark, question):
    model = f"busy-once:{mark}"
    answer = client.with_options(max_retries=2).chat.completions.create(model=f"scripted/{model}", messages=question)
    assert answer.choices[0].finish_reason == "stop"
    first, second = journal(model)
    # Left to itself, the SDK would have come back after half a second.
    assert 1.0 <= second.received_at - first.received_at < 3.0


@pytest.mark.parametrize("script", ["cut-stream", "reset-stream", "short-stream", "stalled"])
def test_a_stream_that_breaks_off_raises_and_never_ends_as_if_it_were_whole(client, question, script):
    seen = []
    with pytest.raises((openai.APIError, openai.APIConnectionError)) as caught:
        for chunk in client.chat.completions.create(model=f"scripted/{script}", messages=question, stream=True):
            seen.append(chunk)
    assert seen, "what had come before the break is delivered"
    assert not any(chunk.choices and chunk.choices[0].finish_reason for chunk in seen)
    assert caught.value.code in ("provider_stream_interrupted", "provider_timeout")


def test_an_error_that_the_provider_tells_inside_a_stream_raises_with_its_words(client, question):
    with pytest.raises(openai.APIError, match="The server had an error"):
        for _ in client.chat.completions.create(model="scripted/error-in-stream", messages=question, stream=True):
            pass
