// Anthropic's SDK speaking Messages to providers of every format and to the sample provider.

import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { z } from "zod";
import {
  CITY, CONCLUSION, INPUT_TOKENS, OUTPUT_TOKENS, PIXEL, PROVIDERS, SIGNATURE, SIGNING, STRUCTURED, TEXT, THOUGHT,
  cachedTokens, callAndResultIn, errorOf, imageIn, named, schemaIn,
} from "./formats.mjs";
import { chunksOf, house, journal, mark } from "./house.mjs";

const newClient = (options = {}) =>
  new Anthropic({ baseURL: house.gateway, apiKey: house.key, maxRetries: 0, timeout: 10_000, ...options });
const client = newClient();
const greeting = [{ role: "user", content: "Hi" }];
const question = { role: "user", content: "What is the weather in Paris?" };
const tools = [{ name: "get_weather", description: "The weather of a city.", input_schema: CITY }];
const Person = z.object({ name: z.string(), age: z.number().int() });
const textOf = (answer) => answer.content.filter((block) => block.type === "text").map((block) => block.text).join("");

function ask(stream, request) {
  const whole = { max_tokens: 1024, messages: greeting, ...request };
  return stream ? client.messages.stream(whole).finalMessage() : client.messages.create(whole);
}

for (const provider of PROVIDERS) {
  for (const stream of [false, true]) {
    const way = `${provider}, ${stream ? "streamed" : "whole"}`;

    test(`an answer arrives with its usage: ${way}`, async () => {
      const model = named(provider, "text", mark());
      const answer = await ask(stream, { model: `${provider}/${model}`, system: "Be brief." });
      assert.equal(textOf(answer), TEXT);
      assert.equal(answer.stop_reason, "end_turn");
      const { usage } = answer;
      assert.equal(usage.cache_read_input_tokens, cachedTokens(provider));
      // Anthropic counts what was read from the cache, or written to it, apart from the rest.
      const written = usage.cache_creation_input_tokens ?? 0;
      assert.equal(usage.input_tokens + cachedTokens(provider) + written, INPUT_TOKENS);
      assert.equal(usage.output_tokens, OUTPUT_TOKENS);
      const [request] = await journal(model);
      assert.match(request.body, /Be brief\./);
      assert.ok(!JSON.stringify(request.headers).includes(house.key));
    });

    for (const script of ["tool-call", "thinking-and-tool-call"]) {
      test(`a tool is called and its result is answered: ${way}, ${script}`, async () => {
        const model = named(provider, script, mark());
        const asked = { model: `${provider}/${model}`, tools };
        if (script.startsWith("thinking")) asked.thinking = { type: "adaptive", display: "summarized" };
        const first = await ask(stream, { ...asked, messages: [question] });
        assert.equal(first.stop_reason, "tool_use");
        const call = first.content.find((block) => block.type === "tool_use");
        assert.deepEqual([call.name, call.input], ["get_weather", { city: "Paris" }]);
        const result = { type: "tool_result", tool_use_id: call.id, content: "18 °C" };
        const messages = [
          question, { role: "assistant", content: first.content }, { role: "user", content: [result] },
        ];
        assert.equal(textOf(await ask(stream, { ...asked, messages })), TEXT);
        const [, after] = await journal(model);
        assert.deepEqual(callAndResultIn(provider, after), ["get_weather", { city: "Paris" }, "18 °C"]);
        // The signature of the thoughts returns to the provider as it was.
        if (script.startsWith("thinking") && SIGNING.includes(provider)) assert.ok(after.body.includes(SIGNATURE));
      });
    }

    test(`what the model thought is a block before the answer: ${way}`, async () => {
      const model = `${provider}/${named(provider, "thinking")}`;
      const answer = await ask(stream, { model, thinking: { type: "adaptive", display: "summarized" } });
      assert.deepEqual(answer.content.map((block) => block.type), ["thinking", "text"]);
      assert.equal(answer.content[0].thinking, THOUGHT);
      assert.equal(textOf(answer), CONCLUSION);
    });
  }

  test(`an image arrives at the provider: ${provider}`, async () => {
    const model = named(provider, "text", mark());
    const source = { type: "base64", media_type: "image/png", data: PIXEL };
    const content = [{ type: "text", text: "What is this?" }, { type: "image", source }];
    await ask(false, { model: `${provider}/${model}`, messages: [{ role: "user", content }] });
    const [request] = await journal(model);
    assert.deepEqual(imageIn(provider, request), ["image/png", PIXEL]);
  });

  test(`an answer is parsed into the type that was asked for: ${provider}`, async () => {
    const model = named(provider, "structured", mark());
    const answer = await client.messages.parse({
      model: `${provider}/${model}`, max_tokens: 1024, messages: greeting,
      output_config: { format: zodOutputFormat(Person) },
    });
    assert.deepEqual(answer.parsed_output, STRUCTURED);
    const [request] = await journal(model);
    assert.deepEqual(Object.keys(schemaIn(provider, request).properties), ["name", "age"]);
  });

  for (const [status, kind] of [[400, Anthropic.BadRequestError], [404, Anthropic.NotFoundError],
    [429, Anthropic.RateLimitError], [500, Anthropic.InternalServerError]]) {
    for (const stream of [false, true]) {
      test(`${provider}'s ${status} is the error that the SDK knows${stream ? ", for a stream too" : ""}`, async () => {
        const model = `${provider}/${named(provider, `error-${status}`)}`;
        const error = await errorOf(client.messages.create({ model, max_tokens: 9, messages: greeting, stream }));
        assert.ok(error instanceof kind, String(error));
        assert.ok(error.requestID);
        assert.ok(error.message.includes(`The words of ${provider} for ${status}.`), error.message);
        if (status === 429) assert.equal(error.headers.get("retry-after"), "20");
      });
    }
  }

  for (const script of ["broken-off-in-the-middle", "cut"]) {
    test(`a stream that breaks off raises: ${provider}, ${script}`, async () => {
      const model = `${provider}/${named(provider, script)}`;
      const stream = await client.messages.create({ model, max_tokens: 9, messages: greeting, stream: true });
      assert.ok(await errorOf(chunksOf(stream)) instanceof Anthropic.APIError);
    });
  }
}

test("a key that is not known is an authentication error", async () => {
  const stranger = newClient({ apiKey: "sk-somebody-elses-0000000" });
  const error = await errorOf(stranger.messages.create({ model: "sandbox/echo", max_tokens: 9, messages: greeting }));
  assert.ok(error instanceof Anthropic.AuthenticationError);
  assert.equal(error.error.error.type, "authentication_error");
});

test("the sample answers, streams the same and calls a tool", async () => {
  const messages = [{ role: "user", content: "Say something friendly." }];
  const whole = textOf(await ask(false, { model: "sandbox/echo", messages }));
  assert.match(whole, /Say something friendly/);
  assert.equal(textOf(await ask(true, { model: "sandbox/echo", messages })), whole);
  const first = await ask(true, { model: "sandbox/echo", messages: [question], tools });
  const call = first.content.find((block) => block.type === "tool_use");
  const result = { type: "tool_result", tool_use_id: call.id, content: "18 °C and sun" };
  const history = [question, { role: "assistant", content: first.content }, { role: "user", content: [result] }];
  assert.match(textOf(await ask(false, { model: "sandbox/echo", messages: history, tools })), /18 °C and sun/);
});
