// The command-line agents Claude Code, Codex and Gemini CLI, unchanged, each in front of providers of every format:
// they look at a picture, run a command, run two more at once, and answer. What the model says is told to the provider
// before; what the commands find is known to the folder alone in which the agent runs.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { PIXEL, PROVIDERS, SIGNATURE, SIGNING, named } from "./formats.mjs";
import { house, journal, mark, plan } from "./house.mjs";

const BIN = new URL("node_modules/.bin", import.meta.url).pathname;
const PROMPT = "Find the words that are hidden here.";
const ANSWER = 'The words are told: wörd 🌍.\n"Quoted"';
const run = promisify(execFile);

const AGENTS = {
  "Claude Code": {
    command: "claude",
    args: () => ["-p", PROMPT, "--allowedTools", "Bash(cat:*)", "Read"],
    env: (model) => ({
      ANTHROPIC_BASE_URL: house.gateway, ANTHROPIC_API_KEY: house.key, ANTHROPIC_MODEL: model,
      ANTHROPIC_DEFAULT_HAIKU_MODEL: model, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    }),
    show: (file) => ({ name: "Bash", arguments: { command: `cat ${file}`, description: "Show a file" } }),
    // It gets pictures as results of a tool.
    look: (folder) => ({ name: "Read", arguments: { file_path: join(folder, "pixel.png") } }),
  },
  "Codex": {
    command: "codex",
    args: (model) => [
      "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "-i", "pixel.png",
      "-c", "model_provider=house", "-c", 'model_reasoning_effort="high"', "-m", model, "-c",
      `model_providers.house={name="house",base_url="${house.base_url}",wire_api="responses",env_key="HOUSE_KEY"}`,
      "--", PROMPT,
    ],
    env: () => ({ HOUSE_KEY: house.key }),
    show: (file) => ({ name: "exec_command", arguments: { cmd: `cat ${file}` } }),
  },
  "Gemini CLI": {
    command: "gemini",
    args: (model) => ["-m", model, "--approval-mode", "yolo", "-p", `${PROMPT} @pixel.png`],
    env: () => ({
      GEMINI_API_KEY: house.key, GOOGLE_GEMINI_BASE_URL: house.gateway, GEMINI_CLI_TRUST_WORKSPACE: "true",
    }),
    settings: [".gemini/settings.json", { security: { auth: { selectedType: "gemini-api-key" } } }],
    show: (file) => ({ name: "run_shell_command", arguments: { command: `cat ${file}`, description: "Show a file" } }),
  },
};
// What the commands find.
const HIDDEN = { "first.txt": "zebra-4711", "second.txt": "okapi-0815", "third.txt": "tapir-1234" };

/** What the model says. */
function roundsOf(agent, folder) {
  const [first, second, third] = Object.keys(HIDDEN).map(agent.show);
  const rounds = [
    { thought: "I should look.", calls: [first] },
    { thought: "There are more of them.", text: "Two more.", calls: [second, third] },
    { thought: "Now I know.", text: ANSWER },
  ];
  return agent.look ? [{ calls: [agent.look(folder)] }, ...rounds] : rounds;
}

/** Runs an agent in a home of its own; what it prints. */
async function ask(agent, provider, model) {
  const home = await mkdtemp(join(tmpdir(), "agent-"));
  try {
    const files = { ...HIDDEN, "pixel.png": Buffer.from(PIXEL, "base64") };
    if (agent.settings) files[agent.settings[0]] = JSON.stringify(agent.settings[1]);
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(home, name)), { recursive: true });
      await writeFile(join(home, name), content);
    }
    await plan(model, roundsOf(agent, home));
    const asked = `${provider}/${model}`;
    const env = { PATH: `${BIN}:${process.env.PATH}`, HOME: home, ...agent.env(asked) };
    const child = run(join(BIN, agent.command), agent.args(asked), { cwd: home, env, timeout: 60_000 });
    child.child.stdin.end();
    return (await child).stdout;
  } finally {
    await rm(home, { recursive: true, force: true, maxRetries: 3 });
  }
}

for (const [name, agent] of Object.entries(AGENTS)) {
  for (const provider of PROVIDERS) {
    test(`${name} runs tools over several rounds: ${provider}`, async () => {
      const model = named(provider, "plan", mark());
      const shown = await ask(agent, provider, model);
      assert.ok(shown.includes(ANSWER), shown);
      const bodies = (await journal(model)).map((request) => request.body);
      const last = bodies.find((body) => body.includes(HIDDEN["third.txt"]));
      assert.ok(last, "the results of all commands arrive at the provider");
      for (const hidden of Object.values(HIDDEN)) assert.equal(last.split(hidden).length, 2, hidden);
      assert.ok(last.replaceAll("-", "+").replaceAll("_", "/").includes(PIXEL), "the picture arrives at the provider");
      if (SIGNING.includes(provider)) assert.ok(last.includes(SIGNATURE), "the signature returns to the provider");
    });
  }
}
