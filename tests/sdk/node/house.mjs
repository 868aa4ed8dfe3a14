// What every test file gets: a house of its own (see ../house.py), a client whose only change is the base URL, and the
// journal of the scripted provider.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { after } from "node:test";
import OpenAI from "openai";

const HOUSE = new URL("../house.py", import.meta.url).pathname;

async function start() {
  const flags = process.env.AI_GATEWAY_BINARY ? [] : ["--without-gateway"];
  const child = spawn("python3", [HOUSE, ...flags], { stdio: ["pipe", "pipe", "inherit"] });
  after(() => child.stdin.end());
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line);
  throw new Error("the house did not start; what it said is above");
}

export const house = await start();

export const question = [{ role: "user", content: "Say something friendly." }];

export function newClient(options = {}) {
  return new OpenAI({ baseURL: house.base_url, apiKey: house.key, maxRetries: 0, timeout: 10_000, ...options });
}

/** Tells the requests of one test from those of others: the scripted provider ignores what follows the colon. */
export function mark() {
  return randomBytes(4).toString("hex");
}

/** What the scripted provider was asked for under a model's name, once `ended` requests have ended. */
export async function journal(model, ended = 0) {
  const query = new URLSearchParams({ model, ended });
  return (await fetch(`${house.provider}/journal?${query}`)).json();
}

/** Tells the scripted provider what a model shall say, round by round: see ../plans.py. */
export async function plan(model, rounds) {
  const query = new URLSearchParams({ model });
  await fetch(`${house.provider}/plan?${query}`, { method: "POST", body: JSON.stringify(rounds) });
}

export async function chunksOf(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

export function textOf(chunks) {
  return chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join("");
}
