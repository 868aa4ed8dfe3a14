// Vectors, and the list of models.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { chunksOf, journal, mark, newClient } from "./house.mjs";

const client = newClient();

for (const [asked, sent] of [[undefined, "base64"], ["float", "float"]]) {
  test(`vectors arrive as numbers, sent as ${sent}`, async () => {
    const model = `embedding:${mark()}`;
    const request = { model: `scripted/${model}`, input: ["one", "two"], encoding_format: asked };
    const answer = await client.embeddings.create(request);
    const expected = Array.from({ length: 8 }, (_, place) => Math.sin(1 + place));
    assert.equal(answer.data[1].embedding.length, 8);
    answer.data[1].embedding.forEach((number, place) => assert.ok(Math.abs(number - expected[place]) < 1e-6));
    const [received] = await journal(model);
    assert.equal(JSON.parse(received.body).encoding_format, sent);
  });
}

test("the models are listed and can be looked up", async () => {
  const names = (await chunksOf(client.models.list())).map((model) => model.id);
  assert.ok(names.includes("house-model") && names.includes("sandbox/echo"));
  assert.equal((await client.models.retrieve("house-model")).id, "house-model");
  assert.equal((await client.models.retrieve("sandbox/echo")).id, "sandbox/echo");
});

test("a model that nobody serves is not found", async () => {
  await assert.rejects(client.models.retrieve("gpt-4o-minni"), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
    return true;
  });
});
