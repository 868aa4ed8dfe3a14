// Mistral's SDK, whose format is close to OpenAI's older one, to providers of every format.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Mistral } from "@mistralai/mistralai";
import { MistralError } from "@mistralai/mistralai/models/errors";
import { z } from "zod";
import {
  CITY, INPUT_TOKENS, OUTPUT_TOKENS, PIXEL, PROVIDERS, STRUCTURED, TEXT, callAndResultIn, errorOf, imageIn, named,
  schemaIn,
} from "./formats.mjs";
import { chunksOf, house, journal, mark, plan } from "./house.mjs";

const mistral = new Mistral({
  apiKey: house.key, serverURL: house.gateway, retryConfig: { strategy: "none" }, timeoutMs: 10_000,
});
const greeting = [{ role: "user", content: "Hi" }];
const question = { role: "user", content: "What is the weather in Paris?" };
const tools = [{ type: "function", function: { name: "get_weather", parameters: CITY } }];

async function ask(request) {
  const { choices: [{ message, finishReason }], usage } = await mistral.chat.complete(request);
  return { message, finishReason, usage };
}

for (const provider of PROVIDERS) {
  test(`an answer arrives with its usage: ${provider}`, async () => {
    const answer = await ask({ model: `${provider}/${named(provider, "text")}`, messages: greeting });
    assert.equal(answer.message.content, TEXT);
    assert.equal(answer.finishReason, "stop");
    assert.equal(answer.usage.promptTokens, INPUT_TOKENS);
    assert.equal(answer.usage.completionTokens, OUTPUT_TOKENS);
  });

  // This SDK reads streams as Mistral writes them: OpenAI's own say that there is no usage yet, and come as they are; a
  // call of a tool comes in pieces there, and whole from Mistral.
  if (provider !== "open") {
    test(`an answer arrives as a stream: ${provider}`, async () => {
      const stream = await mistral.chat.stream({ model: `${provider}/${named(provider, "text")}`, messages: greeting });
      const choices = (await chunksOf(stream)).flatMap(({ data }) => data.choices);
      assert.equal(choices.map(({ delta }) => delta.content ?? "").join(""), TEXT);
      assert.equal(choices.at(-1).finishReason, "stop");
    });
  }

  test(`a tool is called and its result is answered: ${provider}`, async () => {
    const model = named(provider, "tool-call", mark());
    const asked = { model: `${provider}/${model}`, tools };
    const { message, finishReason } = await ask({ ...asked, messages: [question] });
    assert.equal(finishReason, "tool_calls");
    const [call] = message.toolCalls;
    const result = { role: "tool", toolCallId: call.id, name: call.function.name, content: "18 °C" };
    const after = await ask({ ...asked, messages: [question, message, result] });
    assert.equal(after.message.content, TEXT);
    const [, sent] = await journal(model);
    assert.deepEqual(callAndResultIn(provider, sent), ["get_weather", { city: "Paris" }, "18 °C"]);
  });

  test(`tools are called over several rounds, several at once: ${provider}`, async () => {
    const model = named(provider, "plan", mark());
    const call = (city) => ({ name: "get_weather", arguments: { city } });
    await plan(model, [{ calls: [call("Paris"), call("Rome")] }, { calls: [call("Oslo")] }, { text: TEXT }]);
    const messages = [question];
    const asked = [];
    for (let round = 0; round < 4; round += 1) {
      const { message } = await ask({ model: `${provider}/${model}`, tools, messages });
      messages.push(message);
      for (const { id, function: { name, arguments: text } } of message.toolCalls ?? []) {
        asked.push(JSON.parse(text).city);
        messages.push({ role: "tool", toolCallId: id, name, content: `warm in ${asked.at(-1)}` });
      }
      if (!message.toolCalls?.length) break;
    }
    assert.deepEqual(asked, ["Paris", "Rome", "Oslo"]);
    assert.equal(messages.at(-1).content, TEXT);
    const last = (await journal(model)).at(-1).body;
    for (const city of asked) assert.ok(last.includes(`warm in ${city}`), city);
  });

  test(`an answer is parsed into the type that was asked for: ${provider}`, async () => {
    const model = named(provider, "structured", mark());
    const responseFormat = z.object({ name: z.string(), age: z.number().int() });
    const request = { model: `${provider}/${model}`, messages: greeting, responseFormat };
    const answer = await mistral.chat.parse(request);
    assert.deepEqual(answer.choices[0].message.parsed, STRUCTURED);
    const [sent] = await journal(model);
    assert.deepEqual(Object.keys(schemaIn(provider, sent).properties), ["name", "age"]);
  });

  test(`an image arrives at the provider: ${provider}`, async () => {
    const model = named(provider, "text", mark());
    const content = [
      { type: "text", text: "What is this?" },
      { type: "image_url", imageUrl: { url: `data:image/png;base64,${PIXEL}` } },
    ];
    await ask({ model: `${provider}/${model}`, messages: [{ role: "user", content }] });
    const [sent] = await journal(model);
    assert.deepEqual(imageIn(provider, sent), ["image/png", PIXEL]);
  });

  test(`an error is the SDK's own: ${provider}`, async () => {
    const error = await errorOf(ask({ model: `${provider}/${named(provider, "error-429")}`, messages: greeting }));
    assert.ok(error instanceof MistralError, String(error));
    assert.equal(error.statusCode, 429);
    assert.equal(error.headers.get("retry-after"), "20");
  });
}
