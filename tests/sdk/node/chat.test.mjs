// Chat and the older completions, whole and streamed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chunksOf, house, journal, mark, newClient, question, textOf } from "./house.mjs";

const TEXT = "Grüße aus Zürich 👋 — how can I assist you today?";
const client = newClient();

test("a whole answer arrives with everything the provider said", async () => {
  const answer = await client.chat.completions.create({ model: "scripted/chat", messages: question });
  assert.equal(answer.choices[0].message.content, TEXT);
  assert.equal(answer.usage.total_tokens, 29);
  assert.ok("x_field_of_tomorrow" in answer);
});

test("the provider is asked for exactly what the application said, under the gateway's own key", async () => {
  const model = `chat:${mark()}`;
  const request = {
    messages: [{ role: "user", content: "Hi 🙂" }], temperature: 0.2, seed: 7, stop: ["\n\n"],
    a_field_of_tomorrow: [1, { deep: true }],
  };
  await client.chat.completions.create({ model: `scripted/${model}`, ...request });
  const [asked] = await journal(model);
  assert.equal(asked.path, "/v1/chat/completions");
  assert.deepEqual(JSON.parse(asked.body), { model, ...request });
  assert.equal(asked.headers.authorization, `Bearer ${house.provider_key}`);
  assert.ok(!JSON.stringify(asked.headers).includes(house.key));
});

test("a large image arrives as it was sent", async () => {
  const model = `chat:${mark()}`;
  // Megabytes come in many pieces; each has its own content, so that a lost or doubled one is noticed.
  const pixels = Buffer.from(Uint32Array.from({ length: 500_000 }, (_, number) => number).buffer);
  const url = `data:image/png;base64,${pixels.toString("base64")}`;
  const content = [{ type: "text", text: "What is this?" }, { type: "image_url", image_url: { url, detail: "low" } }];
  await client.chat.completions.create({ model: `scripted/${model}`, messages: [{ role: "user", content }] });
  const [asked] = await journal(model);
  // Not deepEqual, which would print the difference of two megabytes.
  assert.ok(JSON.stringify(JSON.parse(asked.body).messages) === JSON.stringify([{ role: "user", content }]));
});

for (const script of ["chat", "chat-in-crumbs", "chat-in-crlf"]) {
  test(`a stream arrives whole however it is cut and written: ${script}`, async () => {
    const stream = await client.chat.completions.create({ model: `scripted/${script}`, messages: question, stream: true });
    const chunks = await chunksOf(stream);
    assert.equal(textOf(chunks), TEXT);
    assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
  });
}

test("usage is in a stream only where it was asked for", async () => {
  const request = { model: "scripted/chat", messages: question, stream: true };
  const without = await chunksOf(await client.chat.completions.create(request));
  assert.ok(without.every((chunk) => chunk.choices.length === 1 && !chunk.usage));
  const asked = await chunksOf(
    await client.chat.completions.create({ ...request, stream_options: { include_usage: true } }));
  assert.deepEqual(asked.at(-1).choices, []);
  assert.equal(asked.at(-1).usage.total_tokens, 29);
});

test("an older completion arrives whole and streamed", async () => {
  const request = { model: "scripted/completion", prompt: "Say this is a test", max_tokens: 7 };
  const answer = await client.completions.create(request);
  assert.equal(answer.choices[0].text, "\n\nThis is indeed a test");
  const chunks = await chunksOf(await client.completions.create({ ...request, stream: true }));
  assert.equal(chunks.map((chunk) => chunk.choices[0].text).join(""), "\n\nThis is a test");
});

test("fifty requests at once each get their own answer", async () => {
  const own = mark();
  const ask = async (number) => {
    const messages = [{ role: "user", content: `${own} number ${number}` }];
    const stream = await client.chat.completions.create({ model: "scripted/echo", messages, stream: true });
    return textOf(await chunksOf(stream)).startsWith(`${own} number ${number} `);
  };
  const answers = await Promise.all(Array.from({ length: 50 }, (_, number) => ask(number)));
  assert.ok(answers.every(Boolean));
});

test("headers say who answered", async () => {
  const { data, response, request_id } = await client.chat.completions
    .create({ model: "scripted/chat", messages: question }).withResponse();
  assert.equal(data.choices[0].message.content, TEXT);
  assert.equal(response.headers.get("x-provider-used"), "scripted");
  assert.equal(response.headers.get("x-model-used"), "chat");
  assert.equal(response.headers.get("x-provider-request-id"), "req_scripted_0001");
  assert.equal(request_id, response.headers.get("x-gateway-request-id"));
  assert.equal(response.headers.get("set-cookie"), null);
});
