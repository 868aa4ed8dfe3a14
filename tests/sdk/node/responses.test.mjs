// OpenAI's SDK speaking its newer format, Responses, to providers of every format and to the sample provider.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import {
  CITY, CONCLUSION, INPUT_TOKENS, OUTPUT_TOKENS, PIXEL, PROVIDERS, STRUCTURED, TEXT, THOUGHT,
  cachedTokens, callAndResultIn, errorOf, imageIn, named, schemaIn, thoughtTokens,
} from "./formats.mjs";
import { chunksOf, journal, mark, newClient } from "./house.mjs";

const client = newClient();
const question = { role: "user", content: "What is the weather in Paris?" };
const tools = [{
  type: "function", name: "get_weather", description: "The weather of a city.", parameters: CITY, strict: false,
}];
const Person = z.object({ name: z.string(), age: z.number().int() });

function ask(stream, request) {
  return stream ? client.responses.stream(request).finalResponse() : client.responses.create(request);
}

/** Reads a stream to its end; its own event for a failure is a failure here. */
async function readAll(stream) {
  for await (const event of stream) {
    if (event.type === "response.failed") throw new OpenAI.APIError(undefined, event.response.error);
    assert.notEqual(event.type, "response.completed");
  }
}

for (const provider of PROVIDERS) {
  for (const stream of [false, true]) {
    const way = `${provider}, ${stream ? "streamed" : "whole"}`;

    test(`an answer arrives with its usage: ${way}`, async () => {
      const model = `${provider}/${named(provider, "text")}`;
      const answer = await ask(stream, { model, instructions: "Be brief.", input: "Hi" });
      assert.equal(answer.output_text, TEXT);
      assert.equal(answer.status, "completed");
      assert.equal(answer.usage.input_tokens, INPUT_TOKENS);
      assert.equal(answer.usage.input_tokens_details.cached_tokens, cachedTokens(provider));
      assert.equal(answer.usage.output_tokens, OUTPUT_TOKENS);
    });

    test(`a tool is called and its result is answered: ${way}`, async () => {
      const model = named(provider, "tool-call", mark());
      const asked = { model: `${provider}/${model}`, tools, store: false };
      const first = await ask(stream, { ...asked, input: [question] });
      const call = first.output.find((item) => item.type === "function_call");
      assert.deepEqual([call.name, JSON.parse(call.arguments)], ["get_weather", { city: "Paris" }]);
      const result = { type: "function_call_output", call_id: call.call_id, output: "18 °C" };
      assert.equal((await ask(stream, { ...asked, input: [question, ...first.output, result] })).output_text, TEXT);
      const [, after] = await journal(model);
      assert.deepEqual(callAndResultIn(provider, after), ["get_weather", { city: "Paris" }, "18 °C"]);
    });

    test(`what the model thought is a reasoning item before the answer: ${way}`, async () => {
      const model = `${provider}/${named(provider, "thinking")}`;
      const reasoning = { effort: "high", summary: "auto" };
      const answer = await ask(stream, { model, input: "Is 97 prime?", reasoning });
      assert.deepEqual(answer.output.map((item) => item.type), ["reasoning", "message"]);
      const [thought] = answer.output;
      assert.equal([...thought.summary, ...(thought.content ?? [])].map((part) => part.text).join(""), THOUGHT);
      assert.equal(answer.output_text, CONCLUSION);
      assert.equal(answer.usage.output_tokens_details.reasoning_tokens, thoughtTokens(provider));
    });
  }

  test(`an image arrives at the provider: ${provider}`, async () => {
    const model = named(provider, "text", mark());
    const content = [
      { type: "input_text", text: "What is this?" },
      { type: "input_image", detail: "auto", image_url: `data:image/png;base64,${PIXEL}` },
    ];
    await ask(false, { model: `${provider}/${model}`, input: [{ role: "user", content }] });
    const [request] = await journal(model);
    assert.deepEqual(imageIn(provider, request), ["image/png", PIXEL]);
  });

  test(`an answer is parsed into the type that was asked for: ${provider}`, async () => {
    const model = named(provider, "structured", mark());
    const text = { format: zodTextFormat(Person, "person") };
    const answer = await client.responses.parse({ model: `${provider}/${model}`, input: "Who?", text });
    assert.deepEqual(answer.output_parsed, STRUCTURED);
    const [request] = await journal(model);
    assert.deepEqual(Object.keys(schemaIn(provider, request).properties), ["name", "age"]);
  });

  for (const [status, kind] of [[400, OpenAI.BadRequestError], [404, OpenAI.NotFoundError],
    [429, OpenAI.RateLimitError], [500, OpenAI.InternalServerError]]) {
    test(`${provider}'s ${status} is the error that the SDK knows`, async () => {
      const model = `${provider}/${named(provider, `error-${status}`)}`;
      const error = await errorOf(client.responses.create({ model, input: "Hi", stream: true }));
      assert.ok(error instanceof kind, String(error));
      assert.ok(error.requestID);
      assert.ok(error.message.includes(`The words of ${provider} for ${status}.`), error.message);
    });
  }

  for (const script of ["broken-off-in-the-middle", "cut"]) {
    test(`a stream that breaks off raises or says failed: ${provider}, ${script}`, async () => {
      const model = `${provider}/${named(provider, script)}`;
      const stream = await client.responses.create({ model, input: "Hi", stream: true });
      assert.ok(await errorOf(readAll(stream)) instanceof OpenAI.APIError);
    });
  }
}

test("a stream numbers its events", async () => {
  const request = { model: `claude/${named("claude", "thinking-and-tool-call")}`, input: "Hi", tools, stream: true };
  const events = await chunksOf(await client.responses.create(request));
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, place) => place));
  assert.equal(events.at(-1).type, "response.completed");
});

test("the sample answers and streams the same", async () => {
  const request = { model: "sandbox/echo", input: "Say something friendly." };
  const whole = await ask(false, request);
  assert.match(whole.output_text, /Say something friendly/);
  assert.equal((await ask(true, request)).output_text, whole.output_text);
});
