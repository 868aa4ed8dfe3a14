// Vercel's AI SDK, which checks answers strictly, with its parts for OpenAI (both formats), Anthropic and Google, each
// to providers of three formats.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, Output, generateText, isStepCount, streamText, tool } from "ai";
import { z } from "zod";
import {
  INPUT_TOKENS, OUTPUT_TOKENS, PIXEL, PROVIDERS, STRUCTURED, TEXT, callAndResultIn, errorOf, imageIn, named, schemaIn,
} from "./formats.mjs";
import { house, journal, mark } from "./house.mjs";

const openai = createOpenAI({ baseURL: house.base_url, apiKey: house.key });
const anthropic = createAnthropic({ baseURL: house.base_url, apiKey: house.key });
const google = createGoogleGenerativeAI({ baseURL: `${house.gateway}/v1beta`, apiKey: house.key });
const SPEAKERS = {
  chat: (model) => openai.chat(model),
  responses: (model) => openai.responses(model),
  anthropic: (model) => anthropic(model),
  // A name with a slash is a whole path to this SDK.
  google: (model) => google(`models/${model}`),
};
const tools = {
  get_weather: tool({
    description: "The weather of a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `18 °C in ${city}`,
  }),
};
const once = { maxRetries: 0 };
const loop = { ...once, tools, prompt: "What is the weather in Paris?", stopWhen: isStepCount(5) };

/** The whole text of a stream; what went wrong in it is thrown. */
async function textOfStream(request) {
  let failure;
  const result = streamText({ ...request, onError: ({ error }) => { failure = error; } });
  let text = "";
  for await (const part of result.fullStream) {
    if (part.type === "text-delta") text += part.text;
    if (part.type === "error") throw part.error;
  }
  if (failure) throw failure;
  return { text, usage: await result.totalUsage };
}

for (const [speaker, speak] of Object.entries(SPEAKERS)) {
  for (const provider of PROVIDERS) {
    const way = `${speaker} to ${provider}`;

    test(`an answer arrives with its usage, whole and streamed: ${way}`, async () => {
      const model = speak(`${provider}/${named(provider, "text")}`);
      for (const answer of [await generateText({ model, prompt: "Hi", ...once }),
        await textOfStream({ model, prompt: "Hi", ...once })]) {
        assert.equal(answer.text, TEXT);
        assert.equal(answer.usage.inputTokens, INPUT_TOKENS);
        assert.equal(answer.usage.outputTokens, OUTPUT_TOKENS);
      }
    });

    for (const script of ["tool-call", "thinking-and-tool-call"]) {
      test(`the SDK's own loop calls a tool, whole and streamed: ${way}, ${script}`, async () => {
        for (const read of [generateText, textOfStream]) {
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
      const answer = await generateText({ model: speak(`${provider}/${model}`), prompt: "Who?", output, ...once });
      assert.deepEqual(answer.output, STRUCTURED);
      const [request] = await journal(model);
      // To a model whose name is not Anthropic's, its part offers the schema as that of a tool.
      if (speaker === "anthropic" && provider !== "claude") assert.match(request.body, /"tools":.*"age"/);
      else assert.deepEqual(Object.keys(schemaIn(provider, request).properties), ["name", "age"]);
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
        await errorOf(textOfStream({ model, prompt: "Hi", ...once }));
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
