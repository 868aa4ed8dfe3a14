// An application with a time limit: the next provider answers before it gives up.

import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { house, newClient, question } from "./house.mjs";

// The first provider says nothing, ever; the second answers at once. Nobody has written how long the first may take.
const model = "hangs-at-first";
const timeout = 3_000;
const skip = !process.env.AI_GATEWAY_BINARY && "there is nobody else without a gateway";

test("OpenAI's library gets the next provider's answer within its timeout", { skip }, async () => {
  const answer = await newClient({ timeout }).chat.completions.create({ model, messages: question });
  assert.ok(answer.choices[0].message.content);
});

test("a stream begins within the timeout too", { skip }, async () => {
  const stream = await newClient({ timeout }).chat.completions.create({ model, messages: question, stream: true });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  assert.ok(text);
});

test("Anthropic's library gets the next provider's answer within its timeout", { skip }, async () => {
  const client = new Anthropic({ baseURL: house.gateway, apiKey: house.key, maxRetries: 0, timeout });
  const answer = await client.messages.create({ model, messages: question, max_tokens: 64 });
  assert.ok(answer.content[0].text);
});
