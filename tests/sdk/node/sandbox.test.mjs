// The built-in sample provider: what a newcomer tries first, without any key of a provider.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { chunksOf, newClient, question, textOf } from "./house.mjs";

const client = newClient();

test("the sample answers, and streams the same text", async () => {
  const whole = await client.chat.completions.create({ model: "sandbox/echo", messages: question });
  assert.match(whole.choices[0].message.content, /Say something friendly/);
  const stream = await client.chat.completions.create({ model: "sandbox/echo", messages: question, stream: true });
  assert.equal(textOf(await chunksOf(stream)), whole.choices[0].message.content);
});

test("the sample calls a tool and uses its result", async () => {
  const runner = client.chat.completions.runTools({
    model: "sandbox/echo",
    messages: question,
    tools: [{
      type: "function",
      function: {
        name: "look_up",
        parse: JSON.parse,
        function: () => "a small green thing",
        parameters: { type: "object", properties: { word: { type: "string" } }, required: ["word"] },
      },
    }],
  });
  assert.match(await runner.finalContent(), /a small green thing/);
});

test("the sample follows a schema", async () => {
  const Person = z.object({ name: z.string(), age: z.number().int() });
  const answer = await client.chat.completions.parse({
    model: "sandbox/echo", messages: question, response_format: zodResponseFormat(Person, "person"),
  });
  assert.ok(Person.safeParse(answer.choices[0].message.parsed).success);
});

test("the sample returns vectors of length one", async () => {
  const answer = await client.embeddings.create({ model: "sandbox/echo", input: ["one", "two"], dimensions: 64 });
  for (const { embedding } of answer.data) {
    assert.equal(embedding.length, 64);
    assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-4);
  }
});

for (const [status, kind] of [
  [400, OpenAI.BadRequestError], [404, OpenAI.NotFoundError],
  [429, OpenAI.RateLimitError], [500, OpenAI.InternalServerError]]) {
  test(`the sample fails on demand with ${status}`, async () => {
    const request = client.chat.completions.create({ model: `sandbox/error-${status}`, messages: question });
    await assert.rejects(request, (error) => error instanceof kind && Boolean(error.requestID));
  });
}

test("the sample breaks a stream on demand", async () => {
  const stream = await client.chat.completions.create({
    model: "sandbox/cut-mid-stream", messages: question, stream: true,
  });
  await assert.rejects(chunksOf(stream), OpenAI.APIError);
});
