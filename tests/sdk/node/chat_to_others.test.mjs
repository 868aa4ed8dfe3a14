// OpenAI's SDK speaking chat completions to providers of other formats, and as Azure's customers use it.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { AzureOpenAI } from "openai";
import {
  CITY, CONCLUSION, INPUT_TOKENS, OUTPUT_TOKENS, PIXEL, PROVIDERS, TEXT, THOUGHT, callAndResultIn, errorOf,
  imageIn, named,
} from "./formats.mjs";
import { chunksOf, house, journal, mark, newClient } from "./house.mjs";

const client = newClient();
const greeting = [{ role: "user", content: "Hi" }];
const question = [{ role: "user", content: "What is the weather in Paris?" }];
const tools = [{
  type: "function",
  function: { name: "get_weather", parse: JSON.parse, function: ({ city }) => `18 °C in ${city}`, parameters: CITY },
}];
function ask(stream, request) {
  if (!stream) return client.chat.completions.create(request);
  return client.chat.completions.stream({ ...request, stream_options: { include_usage: true } }).finalChatCompletion();
}

for (const provider of PROVIDERS.filter((name) => name !== "open")) {
  for (const stream of [false, true]) {
    const way = `${provider}, ${stream ? "streamed" : "whole"}`;

    test(`an answer arrives with its usage: ${way}`, async () => {
      const answer = await ask(stream, { model: `${provider}/${named(provider, "text")}`, messages: greeting });
      assert.equal(answer.choices[0].message.content, TEXT);
      assert.equal(answer.choices[0].finish_reason, "stop");
      assert.equal(answer.usage.prompt_tokens, INPUT_TOKENS);
      assert.equal(answer.usage.completion_tokens, OUTPUT_TOKENS);
    });

    for (const script of ["tool-call", "thinking-and-tool-call"]) {
      test(`the SDK's own loop calls a tool: ${way}, ${script}`, async () => {
        const model = named(provider, script, mark());
        const runner = client.chat.completions.runTools({
          model: `${provider}/${model}`, messages: question, tools, stream,
        });
        assert.equal(await runner.finalContent(), TEXT);
        const [, after] = await journal(model);
        const [name, args, result] = callAndResultIn(provider, after);
        assert.deepEqual([name, args, result], ["get_weather", { city: "Paris" }, "18 °C in Paris"]);
      });
    }

    test(`what the model thought stands beside the answer: ${way}`, async () => {
      const request = { model: `${provider}/${named(provider, "thinking")}`, messages: greeting, stream };
      const answer = await client.chat.completions.create({ ...request, reasoning_effort: "high" });
      // The SDK's own helper keeps only the last piece of a field that it does not know.
      const choices = (stream ? await chunksOf(answer) : [answer]).map((piece) => piece.choices[0]);
      const said = choices.map((choice) => choice.delta ?? choice.message);
      assert.equal(said.map((piece) => piece.content ?? "").join(""), CONCLUSION);
      assert.equal(said.map((piece) => piece.reasoning_content ?? "").join(""), THOUGHT);
    });
  }

  test(`an image arrives at the provider: ${provider}`, async () => {
    const model = named(provider, "text", mark());
    const content = [
      { type: "text", text: "What is this?" },
      { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } },
    ];
    await ask(false, { model: `${provider}/${model}`, messages: [{ role: "user", content }] });
    const [request] = await journal(model);
    assert.deepEqual(imageIn(provider, request), ["image/png", PIXEL]);
  });

  for (const [status, kind] of [[400, OpenAI.BadRequestError], [404, OpenAI.NotFoundError],
    [429, OpenAI.RateLimitError], [500, OpenAI.InternalServerError]]) {
    test(`${provider}'s ${status} is the error that the SDK knows`, async () => {
      const model = `${provider}/${named(provider, `error-${status}`)}`;
      const error = await errorOf(ask(false, { model, messages: greeting }));
      assert.ok(error instanceof kind, String(error));
      assert.ok(error.message.includes(`The words of ${provider} for ${status}.`), error.message);
    });
  }

  for (const script of ["broken-off-in-the-middle", "cut"]) {
    test(`a stream that breaks off raises: ${provider}, ${script}`, async () => {
      const model = `${provider}/${named(provider, script)}`;
      const stream = await client.chat.completions.create({ model, messages: greeting, stream: true });
      const error = await errorOf(chunksOf(stream));
      assert.ok(error instanceof OpenAI.APIError);
      assert.equal(error.code, "provider_stream_interrupted");
    });
  }
}

test("Azure's client names the model in the path and its key in its own header", async () => {
  const azure = new AzureOpenAI({
    endpoint: house.gateway, apiKey: house.key, apiVersion: "2025-04-01-preview", maxRetries: 0,
  });
  const answer = await azure.chat.completions.create({ model: "house-model", messages: greeting });
  assert.match(answer.choices[0].message.content, /^Grüße/);
});
