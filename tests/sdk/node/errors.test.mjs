// Every error is the exception that an application already catches, with an id to ask about.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { journal, mark, newClient, question } from "./house.mjs";

const client = newClient();
const EXCEPTIONS = [
  [400, OpenAI.BadRequestError, "invalid_value"],
  [404, OpenAI.NotFoundError, "model_not_found"],
  [409, OpenAI.ConflictError, "conflict"],
  [422, OpenAI.UnprocessableEntityError, "unprocessable"],
  [429, OpenAI.RateLimitError, "rate_limit_exceeded"],
  [500, OpenAI.InternalServerError, undefined],
  [503, OpenAI.InternalServerError, "overloaded"],
];

async function errorOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail("this must be refused");
}

for (const [status, kind, code] of EXCEPTIONS) {
  for (const stream of [false, true]) {
    test(`the provider's ${status} is the exception that the SDK knows${stream ? ", for a stream too" : ""}`, async () => {
      const request = { model: `scripted/error-${status}`, messages: question, stream };
      const error = await errorOf(client.chat.completions.create(request));
      assert.ok(error instanceof kind, String(error));
      assert.equal(error.status, status);
      assert.ok(error.requestID);
      assert.equal(error.requestID, error.headers.get("x-gateway-request-id"));
      if (code) assert.equal(error.code, code);
    });
  }
}

test("a limit of the provider says how long to wait", async () => {
  const error = await errorOf(client.chat.completions.create({ model: "scripted/error-429", messages: question }));
  assert.equal(error.headers.get("retry-after"), "20");
});

test("a refused provider key is an error of the server that shows nothing of it", async () => {
  const error = await errorOf(client.chat.completions.create({ model: "scripted/error-401", messages: question }));
  assert.ok(error instanceof OpenAI.InternalServerError);
  assert.equal(error.code, "provider_authentication");
  assert.ok(!JSON.stringify(error.error).includes("sk-scrip"));
});

test("a key that is not known is an authentication error", async () => {
  const stranger = newClient({ apiKey: "sk-somebody-elses-0000000" });
  const error = await errorOf(stranger.chat.completions.create({ model: "scripted/chat", messages: question }));
  assert.ok(error instanceof OpenAI.AuthenticationError);
  assert.equal(error.code, "invalid_api_key");
  assert.ok(error.requestID);
});

test("a model that nobody serves is not found and its neighbour is named", async () => {
  const error = await errorOf(client.chat.completions.create({ model: "gpt-4o-minni", messages: question }));
  assert.ok(error instanceof OpenAI.NotFoundError);
  assert.match(error.message, /gpt-4o-mini/);
});

test("a provider that cannot be reached is a server error", async () => {
  const error = await errorOf(client.chat.completions.create({ model: "nobody-there/chat", messages: question }));
  assert.ok(error instanceof OpenAI.InternalServerError);
  assert.equal(error.code, "provider_unreachable");
});

test("the SDK's own retry waits as long as the provider asked", async () => {
  const model = `busy-once:${mark()}`;
  await client.chat.completions.create({ model: `scripted/${model}`, messages: question }, { maxRetries: 2 });
  const [first, second] = await journal(model);
  // Left to itself, the SDK would have come back after half a second.
  const waited = second.received_at - first.received_at;
  assert.ok(waited >= 0.99 && waited < 3, String(waited));
});

for (const script of ["cut-stream", "reset-stream", "short-stream", "stalled"]) {
  test(`a stream that breaks off raises and never ends as if it were whole: ${script}`, async () => {
    const stream = await client.chat.completions.create({ model: `scripted/${script}`, messages: question, stream: true });
    let seen = 0;
    const read = async () => {
      for await (const chunk of stream) {
        seen += 1;
        assert.equal(chunk.choices[0].finish_reason, null);
      }
    };
    assert.ok(await errorOf(read()) instanceof OpenAI.APIError);
    assert.ok(seen > 0, "what had come before the break is delivered");
  });
}

test("an error that the provider tells inside a stream raises with its words", async () => {
  const request = { model: "scripted/error-in-stream", messages: question, stream: true };
  const stream = await client.chat.completions.create(request);
  const error = await errorOf((async () => { for await (const _ of stream); })());
  assert.ok(error instanceof OpenAI.APIError);
  assert.match(error.message, /The server had an error/);
});
