// Every format to every format in front of a provider that knows nothing of us: @copilotkit/aimock, whose formats are
// compared with the vendors' own every day. The client is Vercel's AI SDK, which checks answers strictly.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { LLMock } from "@copilotkit/aimock";
import { APICallError, Output, generateText, isStepCount, tool } from "ai";
import { z } from "zod";
import { STRUCTURED, TEXT, THOUGHT, errorOf } from "./formats.mjs";
import { REASONING, readStream, readsThoughts, speakersOf } from "./vercel.mjs";

const provider = new LLMock({ port: 0, logLevel: "silent" });
process.env.INDEPENDENT_PROVIDER = await provider.start();
after(() => provider.stop());
const { house } = await import("./house.mjs");

const SPEAKERS = speakersOf(house);
// A real model of each, because what a model can do is told by its name.
const MODELS = {
  openai: "gpt-5.5", anthropic: "claude-sonnet-5-5", gemini: "gemini-3-pro", bedrock: "claude-sonnet-5-5-of-our-own",
  cohere: "command-a-plus-05-2026", "ollama-native": "qwen3",
};
const call = (city) => ({ name: "get_weather", arguments: { city } });
const WEATHER = { Paris: "18 °C", Rome: "25 °C", Oslo: "9 °C" };

provider.onMessage("greeting", { content: TEXT });
provider.onMessage("thought", { content: TEXT, reasoning: THOUGHT });
provider.onTurn(0, "weather", { toolCalls: [call("Paris")] });
provider.onTurn(1, "weather", { content: "Two more.", toolCalls: [call("Rome"), call("Oslo")] });
provider.onTurn(2, "weather", { content: TEXT });
provider.onMessage("schema", { content: JSON.stringify(STRUCTURED) });
provider.onMessage("busy", { error: { message: "Come back later.", type: "rate_limit_error" }, status: 429 });
provider.onMessage("break", { content: TEXT.repeat(20) }, { truncateAfterChunks: 3 });

// Where that provider is not what it plays: it says Cohere's thoughts as text and Ollama's under another name,
// Bedrock's and Cohere's errors in other vendors' forms, ends Gemini's calls with a reason that Gemini has not, and puts
// Claude's events into Amazon's frames as they are, where Amazon puts their base64.
const thinks = (format) => !["cohere", "ollama-native"].includes(format);
const explains = (format) => !["bedrock", "cohere"].includes(format);
const frames = (speaker, format) => !(speaker === "anthropic" && format === "bedrock");
const loops = (speaker, format) => !(speaker === "google" && format === "gemini");
for (const [speaker, speak] of Object.entries(SPEAKERS)) {
  for (const [format, name] of Object.entries(MODELS)) {
    const asked = (prompt) => ({ model: speak(`other-${format}/${name}`), prompt, maxRetries: 0 });

    for (const [kind, read] of Object.entries({ whole: generateText, streamed: readStream })) {
      if (kind === "streamed" && !frames(speaker, format)) continue;
      const way = `${speaker} to ${format}, ${kind}`;

      test(`an answer arrives: ${way}`, async () => {
        assert.equal((await read(asked("greeting"))).text, TEXT);
      });

      const skip = !loops(speaker, format);
      test(`a loop of tools over three rounds ends with the answer: ${way}`, { skip }, async () => {
        const given = [];
        const execute = async ({ city }) => {
          given.push(city);
          return WEATHER[city];
        };
        const inputSchema = z.object({ city: z.string() });
        const tools = { get_weather: tool({ description: "The weather of a city.", inputSchema, execute }) };
        const { text } = await read({ ...asked("weather"), tools, stopWhen: isStepCount(5) });
        assert.ok(text.endsWith(TEXT), text);
        assert.deepEqual(given, Object.keys(WEATHER));
        // What it understood of the last request: every call with its result.
        const { messages } = provider.getLastRequest().body;
        const calls = messages.flatMap((message) => message.tool_calls ?? []);
        assert.deepEqual(calls.map((made) => JSON.parse(made.function.arguments).city), given);
        const answered = messages.filter((message) => message.role === "tool");
        // Ollama knows calls by their order alone.
        const id = (message, name) => (format === "ollama-native" ? null : message[name]);
        assert.deepEqual(
          answered.map((result) => id(result, "tool_call_id")), calls.map((made) => id(made, "id")));
      });

      test(`what the model thought is told apart: ${way}`, { skip: !thinks(format) }, async () => {
        const { text, reasoningText } = await read({ ...asked("thought"), providerOptions: REASONING });
        assert.equal(text, TEXT);
        if (readsThoughts(speaker, format)) assert.equal(reasoningText, THOUGHT);
      });

      test(`an answer follows a schema: ${way}`, async () => {
        const output = Output.object({ schema: z.object({ name: z.string(), age: z.number().int() }) });
        assert.deepEqual((await read({ ...asked("schema"), output })).output, STRUCTURED);
      });

      test(`an error is the SDK's own: ${way}`, async () => {
        const error = await errorOf(read(asked("busy")));
        assert.ok(APICallError.isInstance(error), String(error));
        assert.equal(error.statusCode, 429);
        if (explains(format)) assert.match(error.message, /Come back later/);
      });
    }

    test(`a stream that breaks off raises: ${speaker} to ${format}`, async () => {
      await errorOf(readStream(asked("break")));
    });
  }
}
