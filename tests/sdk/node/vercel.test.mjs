// Vercel's AI SDK, which checks answers strictly, with its parts for OpenAI (both formats), Anthropic and Google, each
// to providers of every format.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, Output, generateText, isStepCount, tool } from "ai";
import { z } from "zod";
import {
  CONCLUSION, INPUT_TOKENS, OUTPUT_TOKENS, PIXEL, PROVIDERS, STRUCTURED, TEXT, THOUGHT, callAndResultIn, errorOf,
  imageIn, named, schemaIn,
} from "./formats.mjs";
import { house, journal, mark, plan } from "./house.mjs";
import { REASONING, partsOf, readStream, readsThoughts, speakersOf } from "./vercel.mjs";

const SPEAKERS = speakersOf(house);
const { google } = partsOf(house);
const tools = {
  get_weather: tool({
    description: "The weather of a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `18 °C in ${city}`,
  }),
};
const once = { maxRetries: 0 };
const loop = { ...once, tools, prompt: "What is the weather in Paris?", stopWhen: isStepCount(5) };

for (const [speaker, speak] of Object.entries(SPEAKERS)) {
  for (const provider of PROVIDERS) {
    const way = `${speaker} to ${provider}`;

    test(`an answer arrives with its usage, whole and streamed: ${way}`, async () => {
      const model = speak(`${provider}/${named(provider, "text")}`);
      for (const answer of [await generateText({ model, prompt: "Hi", ...once }),
        await readStream({ model, prompt: "Hi", ...once })]) {
        assert.equal(answer.text, TEXT);
        assert.equal(answer.usage.inputTokens, INPUT_TOKENS);
        assert.equal(answer.usage.outputTokens, OUTPUT_TOKENS);
      }
    });

    for (const script of ["tool-call", "thinking-and-tool-call"]) {
      test(`the SDK's own loop calls a tool, whole and streamed: ${way}, ${script}`, async () => {
        for (const read of [generateText, readStream]) {
          const model = named(provider, script, mark());
          const { text } = await read({ model: speak(`${provider}/${model}`), ...loop });
          assert.ok(text.endsWith(TEXT), text);
          const [, after] = await journal(model);
          const [name, args] = callAndResultIn(provider, after);
          assert.deepEqual([name, args], ["get_weather", { city: "Paris" }]);
          assert.ok(after.body.includes("18 °C in Paris"));
        }
      });
    }

    test(`an image arrives at the provider: ${way}`, async () => {
      const model = named(provider, "text", mark());
      const content = [
        { type: "text", text: "What is this?" },
        { type: "file", mediaType: "image/png", data: PIXEL },
      ];
      await generateText({ model: speak(`${provider}/${model}`), messages: [{ role: "user", content }], ...once });
      const [request] = await journal(model);
      assert.deepEqual(imageIn(provider, request), ["image/png", PIXEL]);
    });

    test(`an answer follows a schema: ${way}`, async () => {
      const model = named(provider, "structured", mark());
      const output = Output.object({ schema: z.object({ name: z.string(), age: z.number().int() }) });
      for (const read of [generateText, readStream]) {
        const answer = await read({ model: speak(`${provider}/${model}`), prompt: "Who?", output, ...once });
        assert.deepEqual(answer.output, STRUCTURED);
      }
      const [request] = await journal(model);
      // To a model whose name is not Anthropic's, its part offers the schema as that of a tool.
      const offered = speaker === "anthropic" && !["claude", "bedrock"].includes(provider);
      if (offered) assert.match(request.body, /"tools":.*"age"/);
      else assert.deepEqual(Object.keys(schemaIn(provider, request).properties), ["name", "age"]);
    });

    if (readsThoughts(speaker, provider)) {
      test(`what the model thought is told apart, whole and streamed: ${way}`, async () => {
        for (const read of [generateText, readStream]) {
          const model = speak(`${provider}/${named(provider, "thinking")}`);
          const answer = await read({ model, prompt: "Is 97 prime?", providerOptions: REASONING, ...once });
          assert.equal(answer.text, CONCLUSION);
          assert.equal(answer.reasoningText, THOUGHT);
        }
      });
    }

    test(`a loop of tools over three rounds ends with the answer, whole and streamed: ${way}`, async () => {
      for (const read of [generateText, readStream]) {
        const model = named(provider, "plan", mark());
        const call = (city) => ({ name: "get_weather", arguments: { city } });
        await plan(model, [
          { thought: "I should look.", calls: [call("Paris")] },
          { thought: "There are more.", text: "Two more.", calls: [call("Rome"), call("Oslo")] },
          { thought: "Now I know.", text: TEXT },
        ]);
        const { text } = await read({ model: speak(`${provider}/${model}`), ...loop, providerOptions: REASONING });
        assert.ok(text.endsWith(TEXT), text);
        const seen = (await journal(model)).map(({ body }) => ["Paris", "Rome", "Oslo"].map(
          (city) => body.includes(`18 °C in ${city}`)));
        assert.deepEqual(seen, [[false, false, false], [true, false, false], [true, true, true]]);
      }
    });

    test(`an error is the SDK's own: ${way}`, async () => {
      const model = speak(`${provider}/${named(provider, "error-429")}`);
      const error = await errorOf(generateText({ model, prompt: "Hi", ...once }));
      assert.ok(APICallError.isInstance(error), String(error));
      assert.equal(error.statusCode, 429);
      assert.ok(error.isRetryable);
      assert.equal(error.responseHeaders["retry-after"], "20");
      assert.ok(error.message.includes(`The words of ${provider} for 429.`), error.message);
    });

    test(`a stream that breaks off raises: ${way}`, async () => {
      for (const script of ["broken-off-in-the-middle", "cut"]) {
        const model = speak(`${provider}/${named(provider, script)}`);
        await errorOf(readStream({ model, prompt: "Hi", ...once }));
      }
    });
  }
}

test("a key that is not known is refused in words that the SDK understands", async () => {
  const stranger = { apiKey: "sk-somebody-elses-0000000" };
  const models = [
    createOpenAI({ baseURL: house.base_url, ...stranger }).responses("sandbox/echo"),
    createAnthropic({ baseURL: house.base_url, ...stranger })("sandbox/echo"),
    createGoogleGenerativeAI({ baseURL: `${house.gateway}/v1beta`, ...stranger })("models/sandbox/echo"),
  ];
  for (const model of models) {
    const error = await errorOf(generateText({ model, prompt: "Hi", ...once }));
    assert.ok(APICallError.isInstance(error), String(error));
    assert.ok(!error.isRetryable);
    assert.match(error.message, /key/i);
  }
});

test("a model of Google's part is found by the name of its provider and its own", async () => {
  const model = google(`claude/${named("claude", "text")}`);
  assert.equal((await generateText({ model, prompt: "Hi", ...once })).text, TEXT);
});
