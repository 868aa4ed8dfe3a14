// What the tests know of the providers' formats: the models to ask for, what the fixtures say, and where a thing stands
// in a request. As in ../python/formats.py.

import assert from "node:assert/strict";

// A real model of each provider, because what a model can do is told by its name. The scripts are in ../vendors.py.
const MODELS = {
  open: "gpt-5.5", claude: "claude-sonnet-5-5", gemini: "gemini-3-pro", bedrock: "eu.anthropic.claude-sonnet-5-5",
  cohere: "command-a-plus-05-2026", ollama: "qwen3",
};
export const PROVIDERS = Object.keys(MODELS);
// Who gives out signatures beside thoughts and wants to see them again.
export const SIGNING = ["claude", "gemini", "bedrock"];

export const TEXT = 'Hello, wörld 🌍.\n"Quoted"';
export const THOUGHT = "7 does not divide it.";
export const CONCLUSION = "Yes.";
export const STRUCTURED = { name: "Zoë", age: 7 };
export const INPUT_TOKENS = 20;
export const OUTPUT_TOKENS = 10;
// Ollama does not tell of tokens that it had in its cache; three do not tell of those that were thoughts.
export const cachedTokens = (provider) => (provider === "ollama" ? 0 : 4);
export const thoughtTokens = (provider) => (["open", "claude", "gemini"].includes(provider) ? 3 : 0);
// What the fixtures give out beside thoughts, and want to see again.
export const SIGNATURE = "RXJVQkNrWUlCQmdDS2tB";

// One red pixel.
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==";
export const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

/** The model's name as the provider gets it; the application puts `provider/` before it. */
export function named(provider, script, mark) {
  return `${MODELS[provider]}--${script}${mark ? `:${mark}` : ""}`;
}

/** Whose format a request has: Claude at Bedrock is told what Anthropic's clients say as they say it. */
const formatOf = (provider, { path }) => (/\/invoke[^/]*$/.test(path) ? "claude" : provider);

/** The media type and the base64 of the image in the last message. */
export function imageIn(at, sent) {
  const [provider, { body }] = [formatOf(at, sent), sent];
  const request = JSON.parse(body);
  if (provider === "bedrock") {
    const { format, source } = request.messages.at(-1).content.find((part) => part.image).image;
    return [`image/${format}`, source.bytes];
  }
  // Ollama takes the bytes alone.
  if (provider === "ollama") return ["image/png", request.messages.at(-1).images[0]];
  if (provider === "gemini") {
    const { mimeType, data } = request.contents.at(-1).parts.find((part) => part.inlineData).inlineData;
    return [mimeType, data];
  }
  const content = request.messages.at(-1).content;
  if (provider === "claude") {
    const { source } = content.find((part) => part.type === "image");
    return [source.media_type, source.data];
  }
  const { url } = content.find((part) => part.type === "image_url").image_url;
  return url.slice("data:".length).split(";base64,");
}

/** The schema that the answer shall follow. */
export function schemaIn(at, sent) {
  const [provider, { body }] = [formatOf(at, sent), sent];
  const request = JSON.parse(body);
  if (provider === "open") return request.response_format.json_schema.schema;
  if (provider === "cohere") return request.response_format.json_schema;
  if (provider === "ollama") return request.format;
  if (provider === "bedrock") return JSON.parse(request.outputConfig.textFormat.structure.jsonSchema.schema);
  if (provider === "claude") return request.output_config.format.schema;
  return request.generationConfig.responseJsonSchema ?? request.generationConfig.responseSchema;
}

/** Name, arguments and result of the one call in the history, once it is clear that the result belongs to the call. */
export function callAndResultIn(at, sent) {
  const [provider, { body }] = [formatOf(at, sent), sent];
  const request = JSON.parse(body);
  if (provider === "open" || provider === "cohere") {
    const [call] = request.messages.flatMap((message) => message.tool_calls ?? []);
    const result = request.messages.find((message) => message.role === "tool");
    assert.equal(result.tool_call_id, call.id);
    return [call.function.name, JSON.parse(call.function.arguments), textOf(result.content)];
  }
  if (provider === "claude") {
    const blocks = request.messages.flatMap(({ content }) => (Array.isArray(content) ? content : []));
    const call = blocks.find((block) => block.type === "tool_use");
    const result = blocks.find((block) => block.type === "tool_result");
    assert.equal(result.tool_use_id, call.id);
    return [call.name, call.input, textOf(result.content)];
  }
  if (provider === "bedrock") {
    const blocks = request.messages.flatMap(({ content }) => content);
    const { toolUse } = blocks.find((block) => block.toolUse);
    const { toolResult } = blocks.find((block) => block.toolResult);
    assert.equal(toolResult.toolUseId, toolUse.toolUseId);
    return [toolUse.name, toolUse.input, textOf(toolResult.content)];
  }
  if (provider === "ollama") {
    const [{ function: call }] = request.messages.flatMap((message) => message.tool_calls ?? []);
    const result = request.messages.find((message) => message.role === "tool");
    assert.equal(result.tool_name, call.name);
    return [call.name, call.arguments, result.content];
  }
  const parts = request.contents.flatMap((content) => content.parts);
  const { functionCall } = parts.find((part) => part.functionCall);
  const { functionResponse } = parts.find((part) => part.functionResponse);
  assert.equal(functionResponse.name, functionCall.name);
  return [functionCall.name, functionCall.args, Object.values(functionResponse.response)[0]];
}

function textOf(content) {
  if (typeof content === "string") return content;
  return content.map((part) => part.text ?? JSON.stringify(part.json)).join("");
}

/** The error that a promise is rejected with. */
export async function errorOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail("this must be refused");
}
