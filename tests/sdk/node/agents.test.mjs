// The command-line agents Claude Code, Codex and Gemini CLI, unchanged, each in front of providers of three formats.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { PROVIDERS, TEXT, named } from "./formats.mjs";
import { house, journal, mark } from "./house.mjs";

const BIN = new URL("node_modules/.bin", import.meta.url).pathname;
const PROMPT = "Say something friendly.";
const run = promisify(execFile);

const AGENTS = {
  "Claude Code": {
    command: "claude",
    args: () => ["-p", PROMPT],
    env: (model) => ({
      ANTHROPIC_BASE_URL: house.gateway, ANTHROPIC_API_KEY: house.key, ANTHROPIC_MODEL: model,
      ANTHROPIC_DEFAULT_HAIKU_MODEL: model, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    }),
  },
  "Codex": {
    command: "codex",
    args: (model) => [
      "exec", "--skip-git-repo-check", "-c", "model_provider=house", "-m", model, "-c",
      `model_providers.house={name="house",base_url="${house.base_url}",wire_api="responses",env_key="HOUSE_KEY"}`,
      PROMPT,
    ],
    env: () => ({ HOUSE_KEY: house.key }),
  },
  "Gemini CLI": {
    command: "gemini",
    args: (model) => ["-m", model, "-p", PROMPT],
    env: () => ({
      GEMINI_API_KEY: house.key, GOOGLE_GEMINI_BASE_URL: house.gateway, GEMINI_CLI_TRUST_WORKSPACE: "true",
    }),
    settings: [".gemini/settings.json", { security: { auth: { selectedType: "gemini-api-key" } } }],
  },
};

/** Runs an agent in a home of its own; what it prints. */
async function say(agent, model) {
  const home = await mkdtemp(join(tmpdir(), "agent-"));
  try {
    if (agent.settings) {
      const file = join(home, agent.settings[0]);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, JSON.stringify(agent.settings[1]));
    }
    const env = { PATH: `${BIN}:${process.env.PATH}`, HOME: home, ...agent.env(model) };
    const child = run(join(BIN, agent.command), agent.args(model), { cwd: home, env, timeout: 60_000 });
    child.child.stdin.end();
    return (await child).stdout;
  } finally {
    await rm(home, { recursive: true, force: true, maxRetries: 3 });
  }
}

for (const [name, agent] of Object.entries(AGENTS)) {
  for (const provider of PROVIDERS) {
    test(`${name} shows what a provider of another format answers: ${provider}`, async () => {
      const model = named(provider, "text", mark());
      const shown = await say(agent, `${provider}/${model}`);
      assert.ok(shown.includes(TEXT), shown);
      assert.ok((await journal(model)).length > 0);
    });
  }
}
