// An application that leaves: the provider must not go on working for nobody.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { journal, mark, newClient, question } from "./house.mjs";

const AT_ONCE_MS = 1_000;
const client = newClient();

async function assertProviderSawUsLeave(model) {
  const leftAt = performance.now();
  const [request] = await journal(model, 1);
  assert.equal(request.ended, "left");
  assert.ok(performance.now() - leftAt < AT_ONCE_MS);
}

test("a timeout of the SDK cancels the call to the provider", async () => {
  const model = `silent:${mark()}`;
  const request = client.chat.completions.create({ model: `scripted/${model}`, messages: question }, { timeout: 300 });
  await assert.rejects(request, OpenAI.APIConnectionTimeoutError);
  await assertProviderSawUsLeave(model);
});

test("an abort before the first byte cancels the call to the provider", async () => {
  const model = `silent:${mark()}`;
  const abort = new AbortController();
  const request = client.chat.completions.create(
    { model: `scripted/${model}`, messages: question }, { signal: abort.signal });
  while ((await journal(model)).length === 0);
  abort.abort();
  await assert.rejects(request, OpenAI.APIUserAbortError);
  await assertProviderSawUsLeave(model);
});

test("leaving the loop over a stream cancels the call to the provider", async () => {
  const model = `endless:${mark()}`;
  const stream = await client.chat.completions.create({ model: `scripted/${model}`, messages: question, stream: true });
  let seen = 0;
  for await (const _ of stream) {
    seen += 1;
    if (seen === 5) break;
  }
  await assertProviderSawUsLeave(model);
});

test("an abort in the middle of a stream cancels the call to the provider", async () => {
  const model = `endless:${mark()}`;
  const stream = await client.chat.completions.create({ model: `scripted/${model}`, messages: question, stream: true });
  for await (const _ of stream) stream.controller.abort();
  await assertProviderSawUsLeave(model);
});
