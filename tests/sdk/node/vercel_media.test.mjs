// Vercel's AI SDK beyond chat: vectors, orders of documents, pictures, speech and transcriptions.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { createCohere } from "@ai-sdk/cohere";
import { APICallError, embed, embedMany, generateImage, generateSpeech, rerank, transcribe } from "ai";
import { errorOf } from "./formats.mjs";
import { house, journal, mark } from "./house.mjs";
import { partsOf } from "./vercel.mjs";

const { openai, google } = partsOf(house);
const cohere = createCohere({ baseURL: `${house.gateway}/v2`, apiKey: house.key });
const once = { maxRetries: 0 };
const TEXTS = ["text 0", "text 1", "text 2"];
const vector = (place) => [place, 0.5, -0.10000000149011612];
const VECTORS = {
  cohere: "cohere-vectors/embed-v4.0", gemini: "gemini-vectors/gemini-embedding-001",
  bedrock: "bedrock-vectors/amazon.titan-embed-text-v2:0", openai: "openai-vectors/text-embedding-3-small",
  ollama: "ollama-vectors/all-minilm",
};
const SPEAKERS = {
  openai: (model) => openai.embedding(model),
  google: (model) => google.embedding(model),
  cohere: (model) => cohere.embedding(model),
};

for (const [speaker, speak] of Object.entries(SPEAKERS)) {
  for (const [provider, model] of Object.entries(VECTORS)) {
    test(`texts become vectors, one and many: ${speaker} to ${provider}`, async () => {
      const one = await embed({ model: speak(model), value: TEXTS[0], ...once });
      assert.deepEqual(one.embedding, vector(0));
      const many = await embedMany({ model: speak(model), values: TEXTS, ...once });
      assert.deepEqual(many.embeddings, TEXTS.map((_, place) => vector(place)));
      // Google's part reads no usage.
      if (speaker !== "google") assert.equal(many.usage.tokens, provider === "bedrock" ? 21 : 7);
    });
  }
}

for (const model of ["cohere-vectors/rerank-v3.5", "jina-orders/jina-reranker-v3"]) {
  test(`documents are put in order: ${model}`, async () => {
    const asked = { model: cohere.reranking(model), query: "Which?", documents: TEXTS, topN: 2 };
    const answer = await rerank({ ...asked, ...once });
    assert.deepEqual(answer.ranking.map(({ originalIndex }) => originalIndex), [2, 1]);
    assert.deepEqual(answer.rerankedDocuments, ["text 2", "text 1"]);
  });
}

test("a picture is made", async () => {
  const model = `any:${mark()}`;
  const { image } = await generateImage({ model: openai.image(`carrier/${model}`), prompt: "a point", ...once });
  assert.deepEqual(Buffer.from(image.uint8Array).subarray(1, 4).toString(), "PNG");
  const [{ fields }] = await journal(model);
  assert.deepEqual([fields.model, fields.prompt], [model, "a point"]);
});

test("a text is spoken", async () => {
  const model = `any:${mark()}`;
  const speaker = openai.speech(`carrier/${model}`);
  const { audio } = await generateSpeech({ model: speaker, text: "Hello.", voice: "alloy", ...once });
  assert.equal(audio.uint8Array.length, 256_000);
  const [{ fields }] = await journal(model);
  assert.deepEqual([fields.model, fields.input, fields.voice], [model, "Hello.", "alloy"]);
});

test("a recording is written down", async () => {
  const model = `any:${mark()}`;
  const audio = Buffer.concat([Buffer.from("RIFF\0\0\0\0WAVE"), Buffer.alloc(200_000, 7)]);
  const { text } = await transcribe({ model: openai.transcription(`carrier/${model}`), audio, ...once });
  assert.equal(text, "What was said.");
  const [{ fields }] = await journal(model);
  assert.equal(fields.file.sha256, createHash("sha256").update(audio).digest("hex"));
});

test("an error is the SDK's own", async () => {
  for (const model of [openai.embedding("nobody/x"), cohere.embedding("nobody/x")]) {
    const error = await errorOf(embed({ model, value: "a", ...once }));
    assert.ok(APICallError.isInstance(error), String(error));
    assert.equal(error.statusCode, 404);
    assert.match(error.message, /nobody/);
  }
});
