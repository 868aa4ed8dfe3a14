// Tools over several rounds, and answers that follow a schema.

import assert from "node:assert/strict";
import { test } from "node:test";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { chunksOf, journal, mark, newClient } from "./house.mjs";

const client = newClient();
const messages = [{ role: "user", content: "Where is it warmer, in Paris or in Tokyo?" }];
const temperatures = { Paris: 18, "東京": 24 };
const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parse: JSON.parse,
      function: ({ city }) => String(temperatures[city]),
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
  {
    type: "function",
    function: {
      name: "warmer_of",
      parse: JSON.parse,
      function: ({ first, second }) => String(Math.max(first, second)),
      parameters: { type: "object", properties: { first: { type: "number" }, second: { type: "number" } } },
    },
  },
];
const Event = z.object({ name: z.string(), date: z.string(), participants: z.array(z.string()) });

test("the SDK's own loop calls tools over several rounds", async () => {
  const model = `tools:${mark()}`;
  const runner = client.chat.completions.runTools({ model: `scripted/${model}`, messages, tools });
  assert.equal(await runner.finalContent(), "東京 is warmer: 24 °C against 18 °C.");
  const asked = (await journal(model)).map((request) => JSON.parse(request.body).messages);
  assert.deepEqual(asked.map((sent) => sent.length), [1, 4, 6]);
  const results = asked.at(-1).filter((message) => message.role === "tool");
  assert.deepEqual(results.map((result) => result.content), ["18", "24", "24"]);
});

test("tool calls can be put together from a stream", async () => {
  const declared = tools.map(({ type, function: { name, parameters } }) => ({ type, function: { name, parameters } }));
  const stream = await client.chat.completions.create({ model: "scripted/tools", messages, tools: declared, stream: true });
  const calls = [];
  for (const chunk of await chunksOf(stream)) {
    for (const delta of chunk.choices[0].delta.tool_calls ?? []) {
      calls[delta.index] ??= { id: delta.id, name: delta.function.name, text: "" };
      calls[delta.index].text += delta.function.arguments;
    }
  }
  assert.deepEqual(calls.map(({ id, name, text }) => [id, name, JSON.parse(text)]), [
    ["call_Q8kPq2vYb7", "get_weather", { city: "Paris" }],
    ["call_mZ4tLw0sX1", "get_weather", { city: "東京" }],
  ]);
});

test("an answer is parsed into the type that was asked for", async () => {
  const model = `structured:${mark()}`;
  const answer = await client.chat.completions.parse({
    model: `scripted/${model}`, messages, response_format: zodResponseFormat(Event, "event"),
  });
  assert.deepEqual(answer.choices[0].message.parsed, {
    name: "Science Fair", date: "Friday", participants: ["Alice", "Bob"],
  });
  const [asked] = await journal(model);
  assert.equal(JSON.parse(asked.body).response_format.json_schema.name, "event");
});

test("a streamed answer is parsed too", async () => {
  const stream = client.chat.completions.stream({
    model: "scripted/structured", messages, response_format: zodResponseFormat(Event, "event"),
  });
  const answer = await stream.finalChatCompletion();
  assert.deepEqual(answer.choices[0].message.parsed.participants, ["Alice", "Bob"]);
});
