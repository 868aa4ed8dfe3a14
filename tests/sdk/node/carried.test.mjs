// Operations that are carried rather than understood, and what the gateway keeps itself, as OpenAI's SDK sends them to a
// provider that tells what came.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { after, test } from "node:test";
import OpenAI, { toFile } from "openai";
import { errorOf, named } from "./formats.mjs";
import { chunksOf, journal, mark, newClient } from "./house.mjs";

const client = newClient();
const HERE = { headers: { "X-Gateway-Provider": "carrier" } };
const folder = await mkdtemp(join(tmpdir(), "carried-"));
after(() => rm(folder, { recursive: true }));

// Every value of a byte, and what stands between the parts of a form; and what ../carried.py says.
const FILE = Buffer.concat([...Array(400).fill(Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))),
  Buffer.from("\r\n--boundary\r\n")]);
const SPEECH = Buffer.concat(Array(1000).fill(Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))));
const TRANSCRIPT = "What was said.";
const told = (filename, type) => (
  { filename, type, bytes: FILE.length, sha256: createHash("sha256").update(FILE).digest("hex") });

/** A model's name for the provider and for the application. */
function asked() {
  const there = `any:${mark()}`;
  return { there, here: `carrier/${there}` };
}

async function fieldsOf(model) {
  const [{ fields }] = await journal(model);
  return fields;
}

test("texts are moderated", async () => {
  const { there, here } = asked();
  const { results } = await client.moderations.create({ model: here, input: ["peace", "harm"] });
  assert.deepEqual(results.map(({ flagged }) => flagged), [false, true]);
  assert.deepEqual(await fieldsOf(there), { model: there, input: ["peace", "harm"] });
});

test("a picture is made", async () => {
  const { there, here } = asked();
  const { data: [{ b64_json }], usage } = await client.images.generate({ model: here, prompt: "a point", n: 1 });
  assert.ok(Buffer.from(b64_json, "base64").toString("latin1").startsWith("\x89PNG"));
  assert.equal(usage.total_tokens, 11);
  assert.deepEqual(await fieldsOf(there), { model: there, prompt: "a point", n: 1 });
});

test("a picture is changed with its mask", async () => {
  const { there, here } = asked();
  const image = await toFile(FILE, "picture.png", { type: "image/png" });
  const mask = await toFile(FILE, "mask.png", { type: "image/png" });
  await client.images.edit({ model: here, image, mask, prompt: "grün" });
  const fields = await fieldsOf(there);
  assert.deepEqual([fields.image, fields.mask], [told("picture.png", "image/png"), told("mask.png", "image/png")]);
  assert.equal(fields.prompt, "grün");
});

test("speech comes as it is spoken, into a file", async () => {
  const { there, here } = asked();
  const speech = await client.audio.speech.create({ model: here, voice: "alloy", input: "Hello." });
  assert.equal(speech.headers.get("content-type"), "audio/mpeg");
  const file = join(folder, "speech.mp3");
  await pipeline(speech.body, createWriteStream(file));
  assert.ok((await readFile(file)).equals(SPEECH));
  assert.equal((await fieldsOf(there)).input, "Hello.");
});

test("a recording is written down from a file", async () => {
  const { there, here } = asked();
  const path = join(folder, "recording.wav");
  await writeFile(path, FILE);
  const { text } = await client.audio.transcriptions.create({ model: here, file: createReadStream(path), language: "en" });
  assert.equal(text, TRANSCRIPT);
  const fields = await fieldsOf(there);
  assert.equal(fields.file.sha256, told().sha256);
  assert.equal(fields.language, "en");
});

test("a transcription streams", async () => {
  const file = await toFile(FILE, "a.wav", { type: "audio/wav" });
  const stream = await client.audio.transcriptions.create({ model: asked().here, file, stream: true });
  const events = await chunksOf(stream);
  assert.deepEqual(events.slice(0, -1).map(({ delta }) => delta).join(""), TRANSCRIPT);
  assert.equal(events.at(-1).text, TRANSCRIPT);
});

test("a file is made, listed, read and deleted, and a batch goes where it is", async () => {
  const file = await client.files.create({ file: await toFile(FILE, "a.jsonl"), purpose: "batch" }, HERE);
  assert.deepEqual([file.bytes, file.filename], [FILE.length, "a.jsonl"]);
  assert.ok((await chunksOf(client.files.list({}, HERE))).some(({ id }) => id === file.id));
  const content = await client.files.content(file.id);
  assert.ok(Buffer.from(await content.arrayBuffer()).equals(SPEECH));
  const batch = await client.batches.create({
    input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h" });
  assert.equal((await client.batches.retrieve(batch.id)).input_file_id, file.id);
  assert.equal((await client.batches.cancel(batch.id)).status, "cancelling");
  assert.ok((await chunksOf(client.batches.list({}, HERE))).some(({ id }) => id === batch.id));
  assert.ok((await client.files.delete(file.id)).deleted);
  assert.ok(await errorOf(client.files.retrieve(file.id)) instanceof OpenAI.NotFoundError);
});

test("a file of somebody else is not found", async () => {
  const error = await errorOf(client.files.content("file-of-somebody-else"));
  assert.ok(error instanceof OpenAI.NotFoundError, String(error));
  assert.equal(error.code, "object_not_found");
});

test("fine-tuning is off", async () => {
  const error = await errorOf(client.fineTuning.jobs.create({ model: "any", training_file: "file-1" }));
  assert.ok(error instanceof OpenAI.PermissionDeniedError, String(error));
  assert.equal(error.code, "operation_disabled");
});

// What the gateway keeps: answers and conversations, where the provider has no such thing.
const MODEL = `claude/${named("claude", "text")}`;

test("an answer is retrieved, listed with what was asked, and deleted", async () => {
  const first = await client.responses.create({ model: MODEL, input: "Hi" });
  assert.equal((await client.responses.retrieve(first.id)).output_text, first.output_text);
  const [item] = await chunksOf(client.responses.inputItems.list(first.id));
  assert.equal(item.content[0].text, "Hi");
  await client.responses.delete(first.id);
  assert.ok(await errorOf(client.responses.retrieve(first.id)) instanceof OpenAI.NotFoundError);
});

test("a conversation is made, continued, changed and deleted", async () => {
  const first = { type: "message", role: "user", content: "I am called Zoë." };
  const conversation = await client.conversations.create({ items: [first], metadata: { topic: "names" } });
  const model = named("claude", "text", mark());
  const answer = await client.responses.create({
    model: `claude/${model}`, input: "Who am I?", conversation: conversation.id });
  assert.equal(answer.conversation.id, conversation.id);
  const [{ body }] = await journal(model);
  assert.ok(body.includes("I am called Zoë.") && body.includes("Who am I?"), body);
  const items = await chunksOf(client.conversations.items.list(conversation.id, { order: "asc", limit: 2 }));
  assert.deepEqual(items.map(({ role }) => role), ["user", "user", "assistant"]);
  const changed = await client.conversations.update(conversation.id, { metadata: { topic: "other" } });
  assert.deepEqual(changed.metadata, { topic: "other" });
  assert.ok((await client.conversations.delete(conversation.id)).deleted);
  assert.ok(await errorOf(client.conversations.retrieve(conversation.id)) instanceof OpenAI.NotFoundError);
});
