// The tutorial that many readers come from: a `gateway-config.json` with OpenAI, Claude and Gemini, three changed lines in
// the program, and a wrong key on purpose. The first half gives the file to the gateway, the second sends it as a header.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, beforeEach, test } from "node:test";
import OpenAI from "openai";

const BINARY = process.env.AI_GATEWAY_BINARY;
const skip = BINARY ? false : "AI_GATEWAY_BINARY does not name the program";

const KEYS = { openai: "sk-right-openai", anthropic: "sk-ant-right", google: "right-google" };
const QUESTION = [{ role: "user", content: "詩を書いて" }];
const CLAUDES = "Claude の詩";
const GPTS = "GPT の詩";
const GEMINIS = "Gemini の詩";

// Three vendors, who refuse any key but their own.
const VENDORS = {
  openai: {
    base: "/v1", path: "/v1/chat/completions", key: (headers) => headers.authorization?.replace("Bearer ", ""),
    refusal: { error: { message: "Incorrect API key provided", type: "invalid_request_error", param: null, code: "invalid_api_key" } },
    answer: {
      id: "chatcmpl-1", object: "chat.completion", created: 1, model: "gpt-4-0613",
      choices: [{ index: 0, message: { role: "assistant", content: GPTS, refusal: null }, logprobs: null, finish_reason: "stop" }],
      usage: { prompt_tokens: 5, completion_tokens: 4, total_tokens: 9 },
    },
  },
  anthropic: {
    base: "/v1", path: "/v1/messages", key: (headers) => headers["x-api-key"],
    refusal: { type: "error", error: { type: "authentication_error", message: "invalid x-api-key" } },
    answer: {
      id: "msg_1", type: "message", role: "assistant", model: "claude-3-5-sonnet-20241022",
      content: [{ type: "text", text: CLAUDES }], stop_reason: "end_turn", stop_sequence: null,
      usage: { input_tokens: 7, output_tokens: 3 },
    },
  },
  google: {
    base: "/v1beta", path: "/v1beta/models/gemini-pro:generateContent",
    key: (headers, url) => headers["x-goog-api-key"] ?? url.searchParams.get("key"),
    refusal: { error: { code: 400, message: "API key not valid.", status: "INVALID_ARGUMENT", details: [{ reason: "API_KEY_INVALID" }] } },
    answer: {
      candidates: [{ content: { role: "model", parts: [{ text: GEMINIS }] }, finishReason: "STOP", index: 0 }],
      usageMetadata: { promptTokenCount: 6, candidatesTokenCount: 2, totalTokenCount: 8 },
    },
  },
};

/** What each vendor was asked, and where it listens. */
const vendors = {};

async function startVendor(name) {
  const { path, key, refusal, answer, base } = VENDORS[name];
  const asked = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    const url = new URL(request.url, "http://vendor");
    asked.push({ path: url.pathname, body: JSON.parse(body) });
    const knows = key(request.headers, url) === KEYS[name];
    const status = url.pathname !== path ? 404 : knows ? 200 : 401;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(status === 200 ? answer : refusal));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  after(() => server.close());
  vendors[name] = { asked, address: `http://127.0.0.1:${server.address().port}${base}` };
}

/** The tutorial's file. `at` adds to each target where its vendor stands in for the real one. */
function tutorial(keys, at = () => ({})) {
  const target = (provider, model) =>
    ({ provider, api_key: keys[provider], override_params: { model }, ...at(provider) });
  return {
    retry: { count: 5 },
    strategy: { mode: "fallback" },
    targets: [target("openai", "gpt-4"), target("anthropic", "claude-3-5-sonnet-20241022"), target("google", "gemini-pro")],
  };
}

/** Starts the gateway with a configuration file of this content; returns its address. */
async function startGateway(content) {
  const folder = mkdtempSync(join(tmpdir(), "tutorial-"));
  writeFileSync(join(folder, "gateway-config.json"), JSON.stringify({ listen: "127.0.0.1:0", ...content }));
  // The file is found by its name.
  const program = spawn(BINARY, [], { cwd: folder, stdio: ["ignore", "pipe", "inherit"], env: { PATH: process.env.PATH } });
  after(() => {
    program.kill();
    rmSync(folder, { recursive: true });
  });
  for await (const line of createInterface({ input: program.stdout })) {
    const address = /http:\/\/localhost:\d+/.exec(line);
    if (address) {
      program.stdout.resume();
      return address[0].replace("localhost", "127.0.0.1");
    }
  }
  throw new Error("the gateway did not start; what it said is above");
}

const custom = (provider) => ({ custom_host: vendors[provider].address });
const newClient = (address, more = {}) =>
  new OpenAI({ apiKey: "any-key", baseURL: `${address}/v1`, maxRetries: 0, timeout: 20_000, ...more });
const ask = (client, options = {}) =>
  client.chat.completions.create({ model: "gpt-4", messages: QUESTION, ...options });
const asked = (name) => vendors[name].asked.length;

for (const name of Object.keys(VENDORS)) await startVendor(name);
beforeEach(() => {
  for (const vendor of Object.values(vendors)) vendor.asked.length = 0;
});

test("steps 1 to 3: the file is enough, and the first target answers", { skip }, async () => {
  const address = await startGateway(tutorial(KEYS, custom));
  const answer = await ask(newClient(address));
  assert.equal(answer.choices[0].message.content, GPTS);
  assert.deepEqual([asked("openai"), asked("anthropic"), asked("google")], [1, 0, 0]);
  assert.equal(vendors.openai.asked[0].body.messages[0].content, QUESTION[0].content);
});

test("step 3: override_params wins over the model that the program names", { skip }, async () => {
  const address = await startGateway(tutorial(KEYS, custom));
  await ask(newClient(address), { model: "whatever-the-program-says" });
  assert.equal(vendors.openai.asked[0].body.model, "gpt-4");
});

test("step 4: with a wrong key at OpenAI Claude answers, in OpenAI's shape", { skip }, async () => {
  const address = await startGateway(tutorial({ ...KEYS, openai: "sk-wrong-key" }, custom));
  const answer = await ask(newClient(address));
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.choices[0].message.role, "assistant");
  assert.equal(answer.choices[0].message.content, CLAUDES);
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.usage.prompt_tokens, 7);
  assert.equal(answer.usage.completion_tokens, 3);
  assert.equal(vendors.anthropic.asked[0].body.model, "claude-3-5-sonnet-20241022");
  assert.equal(asked("openai"), 1, "a wrong key does not become right by trying again");
  assert.equal(asked("google"), 0);
});

test("step 4, twice over: with two wrong keys Gemini answers", { skip }, async () => {
  const wrong = { ...KEYS, openai: "sk-wrong-key", anthropic: "sk-ant-wrong-key" };
  const answer = await ask(newClient(await startGateway(tutorial(wrong, custom))));
  assert.equal(answer.choices[0].message.content, GEMINIS);
  assert.equal(answer.choices[0].finish_reason, "stop");
});

test("with every key wrong the program is told, and no key is repeated", { skip }, async () => {
  const wrong = { openai: "sk-wrong-key", anthropic: "sk-ant-wrong-key", google: "wrong-google-key" };
  const client = newClient(await startGateway(tutorial(wrong, custom)));
  await assert.rejects(ask(client), (error) => {
    assert.ok(error instanceof OpenAI.APIError);
    assert.equal(error.status, 502);
    for (const key of Object.values(wrong)) assert.ok(!JSON.stringify(error.error).includes(key));
    return true;
  });
});

// The header form brings everything along: the gateway itself is configured with nothing.
const withConfig = (address, config, more = {}) =>
  newClient(address, { defaultHeaders: { "x-portkey-config": JSON.stringify(config), ...more } });

test("step 3, as a header: the real keys stand in the configuration that the program sends", { skip }, async () => {
  const answer = await ask(withConfig(await startGateway({}), tutorial(KEYS, custom)));
  assert.equal(answer.choices[0].message.content, GPTS);
});

test("step 4, as a header: with a wrong key at OpenAI Claude answers, in OpenAI's shape", { skip }, async () => {
  const config = tutorial({ ...KEYS, openai: "sk-wrong-key" }, custom);
  const answer = await ask(withConfig(await startGateway({}), config));
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.choices[0].message.content, CLAUDES);
});

test("the whole program, as a header: two targets and the simple cache", { skip }, async () => {
  const config = tutorial({ ...KEYS, openai: "sk-wrong-key" }, custom);
  config.targets.pop();
  const client = withConfig(await startGateway({}), config, { "x-portkey-cache": "simple" });
  const answer = await ask(client, { messages: [{ role: "user", content: "AI Gatewayを一言で説明して" }] });
  assert.equal(answer.choices[0].message.content, CLAUDES);
});
