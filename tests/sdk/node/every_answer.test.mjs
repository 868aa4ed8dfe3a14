// Whatever a provider answers, Vercel's AI SDK, which checks every chunk, reads it without complaint, and reads the
// same whole and streamed. The answers are the fixtures of the dialects; what exactly each must become is tested there.

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { generateText, jsonSchema, streamText, tool } from "ai";
import { CITY, named } from "./formats.mjs";
import { house } from "./house.mjs";
import { speakersOf } from "./vercel.mjs";

const FOLDERS = {
  open: "openai_chat", claude: "anthropic_messages", gemini: "gemini", bedrock: "bedrock_converse",
  cohere: "cohere_chat", ollama: "ollama_chat",
};
const ENDINGS = ["sse", "hex", "ndjson"];
const fixtures = (folder) => new URL(`../../../fixtures/${folder}/`, import.meta.url);
const SPEAKERS = speakersOf(house);
// Nothing executes it: the first answer is the whole of it.
const tools = { get_weather: tool({ description: "The weather of a city.", inputSchema: jsonSchema(CITY) }) };
// What this SDK cannot read, whoever says it: several answers at once, and calls with free text.
const BEYOND = ["several-candidates", "custom-tool-call"];
// Where the provider's model made nothing that is an answer: an error of the SDK is right.
const REFUSED = ["malformed-call"];
const callsOf = (parts) => parts.filter((part) => part.type === "tool-call" && !part.providerExecuted).length;

async function readWhole(request) {
  const { text, finishReason, content } = await generateText(request);
  return { text, finishReason, calls: callsOf(content) };
}

async function readStream(request) {
  const parts = [];
  for await (const part of streamText({ ...request, onError: () => {} }).fullStream) {
    if (part.type === "error") throw part.error;
    parts.push(part);
  }
  const text = parts.filter((part) => part.type === "text-delta").map((part) => part.text).join("");
  return { text, finishReason: parts.at(-1).finishReason, calls: callsOf(parts) };
}

/** What was read, or that it was refused: an answer that is none is an error in either way. */
async function outcome(read, request) {
  try {
    return await read(request);
  } catch {
    // A stream has begun before it is refused, which this SDK has another name for.
    return { refused: true };
  }
}

for (const [provider, folder] of Object.entries(FOLDERS)) {
  const names = readdirSync(new URL("answers/", fixtures(folder))).map((file) => file.replace(/\.json$/, ""));
  const streams = (name) => ENDINGS.map((ending) => new URL(`streams/${name}.${ending}`, fixtures(folder)));
  const streamed = names.filter((name) => streams(name).some(existsSync));
  for (const name of streamed.filter((name) => !BEYOND.includes(name))) {
    for (const [speaker, speak] of Object.entries(SPEAKERS)) {
      // Claude at Bedrock answers Anthropic's clients in Anthropic's format, and has that format's fixtures.
      const isInvoked = provider === "bedrock" && speaker === "anthropic";
      if (isInvoked && !existsSync(new URL(`answers/${name}.json`, fixtures(FOLDERS.claude)))) continue;
      test(`an answer reads the same whole and streamed: ${speaker} to ${provider}, ${name}`, async () => {
        const request = {
          model: speak(`${provider}/${named(provider, name)}`), prompt: "What is the weather?", tools, maxRetries: 0,
        };
        const whole = await outcome(readWhole, request);
        assert.deepEqual(await outcome(readStream, request), whole);
        if (!REFUSED.includes(name)) assert.ok(!whole.refused);
      });
    }
  }
}
