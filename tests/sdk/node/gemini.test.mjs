// Google's SDK speaking `generateContent` to providers of every format and to the sample provider.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, GoogleGenAI } from "@google/genai";
import {
  CITY, CONCLUSION, INPUT_TOKENS, OUTPUT_TOKENS, PIXEL, PROVIDERS, SIGNATURE, SIGNING, STRUCTURED, TEXT, THOUGHT,
  cachedTokens, callAndResultIn, errorOf, imageIn, named, schemaIn, thoughtTokens,
} from "./formats.mjs";
import { chunksOf, house, journal, mark } from "./house.mjs";

const newClient = (apiKey, options = {}) => new GoogleGenAI({
  apiKey,
  httpOptions: { baseUrl: house.gateway, timeout: 10_000, retryOptions: { attempts: 1 }, ...options },
});
const client = newClient(house.key);
const question = { role: "user", parts: [{ text: "What is the weather in Paris?" }] };
const tools = [{
  functionDeclarations: [{ name: "get_weather", description: "The weather of a city.", parametersJsonSchema: CITY }],
}];
const schema = {
  type: "object", properties: { name: { type: "string" }, age: { type: "integer" } }, required: ["name", "age"],
};

/** The answers: one, or the pieces of a stream. */
async function ask(stream, model, contents = "Hi", config = {}) {
  if (stream) return chunksOf(await client.models.generateContentStream({ model, contents, config }));
  return [await client.models.generateContent({ model, contents, config })];
}

const partsOf = (answers) => answers.flatMap((answer) => answer.candidates?.[0]?.content?.parts ?? []);
const textOf = (answers) => partsOf(answers).map((part) => (part.thought ? "" : part.text ?? "")).join("");

for (const provider of PROVIDERS) {
  for (const stream of [false, true]) {
    const way = `${provider}, ${stream ? "streamed" : "whole"}`;

    test(`an answer arrives with its usage: ${way}`, async () => {
      const model = named(provider, "text", mark());
      const answers = await ask(stream, `${provider}/${model}`, "Hi", { systemInstruction: "Be brief." });
      assert.equal(textOf(answers), TEXT);
      assert.equal(answers.at(-1).candidates[0].finishReason, "STOP");
      const usage = answers.at(-1).usageMetadata;
      assert.equal(usage.promptTokenCount, INPUT_TOKENS);
      assert.equal(usage.cachedContentTokenCount ?? 0, cachedTokens(provider));
      assert.equal(usage.candidatesTokenCount, OUTPUT_TOKENS);
      const [request] = await journal(model);
      assert.match(request.body, /Be brief\./);
      assert.ok(!JSON.stringify(request.headers).includes(house.key));
    });

    for (const script of ["tool-call", "thinking-and-tool-call"]) {
      test(`a tool is called and its result is answered: ${way}, ${script}`, async () => {
        const model = named(provider, script, mark());
        const first = partsOf(await ask(stream, `${provider}/${model}`, [question], { tools }));
        const call = first.find((part) => part.functionCall).functionCall;
        assert.deepEqual([call.name, call.args], ["get_weather", { city: "Paris" }]);
        const functionResponse = { id: call.id, name: call.name, response: { output: "18 °C" } };
        const history = [question, { role: "model", parts: first }, { role: "user", parts: [{ functionResponse }] }];
        assert.equal(textOf(await ask(stream, `${provider}/${model}`, history, { tools })), TEXT);
        const [, after] = await journal(model);
        const [name, args, result] = callAndResultIn(provider, after);
        assert.deepEqual([name, args], ["get_weather", { city: "Paris" }]);
        assert.ok(result.includes("18 °C"));
        // The signature of the thoughts returns to the provider as it was.
        if (script.startsWith("thinking") && SIGNING.includes(provider)) assert.ok(after.body.includes(SIGNATURE));
      });
    }

    test(`what the model thought is told apart from the answer: ${way}`, async () => {
      const config = { thinkingConfig: { includeThoughts: true } };
      const answers = await ask(stream, `${provider}/${named(provider, "thinking")}`, "Is 97 prime?", config);
      assert.equal(partsOf(answers).filter((part) => part.thought).map((part) => part.text).join(""), THOUGHT);
      assert.equal(textOf(answers), CONCLUSION);
      assert.equal(answers.at(-1).usageMetadata.thoughtsTokenCount ?? 0, thoughtTokens(provider));
    });
  }

  test(`an image arrives at the provider: ${provider}`, async () => {
    const model = named(provider, "text", mark());
    const parts = [{ text: "What is this?" }, { inlineData: { mimeType: "image/png", data: PIXEL } }];
    await ask(false, `${provider}/${model}`, [{ role: "user", parts }]);
    const [request] = await journal(model);
    assert.deepEqual(imageIn(provider, request), ["image/png", PIXEL]);
  });

  test(`an answer follows a schema: ${provider}`, async () => {
    const model = named(provider, "structured", mark());
    const config = { responseMimeType: "application/json", responseJsonSchema: schema };
    const [answer] = await ask(false, `${provider}/${model}`, "Who?", config);
    assert.deepEqual(JSON.parse(answer.text), STRUCTURED);
    const [request] = await journal(model);
    assert.deepEqual(Object.keys(schemaIn(provider, request).properties), ["name", "age"]);
  });

  for (const status of [400, 404, 429, 500]) {
    for (const stream of [false, true]) {
      test(`${provider}'s ${status} is the error that the SDK knows${stream ? ", for a stream too" : ""}`, async () => {
        const error = await errorOf(ask(stream, `${provider}/${named(provider, `error-${status}`)}`));
        assert.ok(error instanceof ApiError, String(error));
        // Another format's 500 is told as 502: it is the provider that failed.
        assert.ok(error.status === status || (status === 500 && error.status === 502), String(error.status));
        assert.ok(error.message.includes(`The words of ${provider} for ${status}.`), error.message);
      });
    }
  }

  for (const script of ["broken-off-in-the-middle", "cut"]) {
    test(`a stream that breaks off raises: ${provider}, ${script}`, async () => {
      const error = await errorOf(ask(true, `${provider}/${named(provider, script)}`));
      assert.ok(error instanceof ApiError, String(error));
    });
  }
}

for (const apiVersion of ["v1", "v1beta"]) {
  test(`both versions lead to the same place, with a prefix too: ${apiVersion}`, async () => {
    for (const baseUrl of [house.gateway, `${house.gateway}/gemini`]) {
      const models = newClient(house.key, { apiVersion, baseUrl }).models;
      const answer = await models.generateContent({ model: `claude/${named("claude", "text")}`, contents: "Hi" });
      assert.equal(answer.text, TEXT);
    }
  });
}

test("a key that is not known is refused", async () => {
  const stranger = newClient("sk-somebody-elses-0000000");
  const error = await errorOf(stranger.models.generateContent({ model: "sandbox/echo", contents: "Hi" }));
  assert.ok(error instanceof ApiError);
  assert.ok([400, 401].includes(error.status), String(error.status));
});

test("the sample answers and streams the same", async () => {
  const whole = textOf(await ask(false, "sandbox/echo", "Say something friendly."));
  assert.match(whole, /Say something friendly/);
  assert.equal(textOf(await ask(true, "sandbox/echo", "Say something friendly.")), whole);
});
