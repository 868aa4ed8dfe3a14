// OpenAI's SDK speaking Realtime over a WebSocket, to a provider that plays OpenAI's. It insists on TLS, which whatever
// stands before a gateway would end: here nothing does, and the bytes go unencrypted.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, test } from "node:test";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { WebSocketServer } from "ws";

const requests = [];
const provider = new WebSocketServer({ host: "127.0.0.1", port: 0 });
provider.on("connection", (socket, request) => {
  requests.push(request);
  const say = (event) => socket.send(JSON.stringify(event));
  say({ type: "session.created", event_id: "e1", session: { type: "realtime" } });
  socket.on("message", (data) => {
    const event = JSON.parse(data);
    if (event.type === "input_audio_buffer.append") {
      // It comes back as it came, in one frame.
      return say({ type: "response.output_audio.delta", event_id: "e2", response_id: "r1", delta: event.audio });
    }
    if (event.type === "session.update") return socket.close(4000, "no such session");
    const usage = { total_tokens: 30, input_tokens: 10, output_tokens: 20 };
    say({ type: "response.done", event_id: "e3", response: { id: "r1", object: "realtime.response", usage } });
  });
});
await once(provider, "listening");
process.env.INDEPENDENT_PROVIDER = `http://127.0.0.1:${provider.address().port}`;
after(() => provider.close());
const { house, newClient } = await import("./house.mjs");

function open(model, client = newClient()) {
  const { hostname: host, port } = new URL(house.gateway);
  return new OpenAIRealtimeWS({ model, options: { createConnection: () => connect({ host, port }) } }, client);
}

async function connected(model) {
  const realtime = open(model);
  const next = (type) => new Promise((resolve, reject) => {
    realtime.once(type, resolve);
    realtime.once("error", reject);
  });
  await next("session.created");
  return { realtime, next };
}

test("a conversation is carried in both directions", async () => {
  const { realtime, next } = await connected("other-openai/gpt-realtime");
  const audio = Buffer.alloc(300_000, 7).toString("base64");
  const echoed = next("response.output_audio.delta");
  realtime.send({ type: "input_audio_buffer.append", audio });
  assert.equal((await echoed).delta, audio);
  const done = next("response.done");
  realtime.send({ type: "response.create" });
  assert.equal((await done).response.usage.total_tokens, 30);
  const closed = once(realtime.socket, "close");
  realtime.close();
  await closed;
  const { url, headers } = requests.at(-1);
  assert.equal(url, "/v1/realtime?model=gpt-realtime");
  assert.equal(headers.authorization, `Bearer ${house.provider_key}`);
});

test("the code with which a provider closes is told", async () => {
  const { realtime } = await connected("other-openai/gpt-realtime");
  const closed = once(realtime.socket, "close");
  realtime.send({ type: "session.update", session: { type: "realtime" } });
  const [code, reason] = await closed;
  assert.deepEqual([code, String(reason)], [4000, "no such session"]);
});

test("a wrong key and an unknown model are refused before the conversation begins", async () => {
  const wrong = new OpenAI({ baseURL: house.base_url, apiKey: "sk-wrong" });
  for (const [client, model, status] of [[wrong, "other-openai/gpt-realtime", 401], [newClient(), "nobody/x", 404]]) {
    const realtime = open(model, client);
    const error = await new Promise((resolve) => realtime.once("error", resolve));
    assert.match(error.message, new RegExp(`Unexpected server response: ${status}`));
  }
  assert.ok(requests.every(({ headers }) => headers.authorization === `Bearer ${house.provider_key}`));
});
