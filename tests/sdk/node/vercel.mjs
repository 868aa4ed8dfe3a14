// Vercel's AI SDK in front of a house: a model in each format in which it can speak, and the reading of a stream.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { streamText } from "ai";

export function partsOf({ base_url, gateway, key: apiKey }) {
  return {
    openai: createOpenAI({ baseURL: base_url, apiKey }),
    anthropic: createAnthropic({ baseURL: base_url, apiKey }),
    google: createGoogleGenerativeAI({ baseURL: `${gateway}/v1beta`, apiKey }),
  };
}

export function speakersOf(house) {
  const { openai, anthropic, google } = partsOf(house);
  return {
    chat: (model) => openai.chat(model),
    responses: (model) => openai.responses(model),
    anthropic: (model) => anthropic(model),
    // A name with a slash is a whole path to this SDK.
    google: (model) => google(`models/${model}`),
  };
}

/** Asks for thoughts, in the words of every part. The one for OpenAI knows models that think by OpenAI's names. */
export const REASONING = {
  openai: { forceReasoning: true, reasoningEffort: "high", reasoningSummary: "auto" },
  anthropic: { thinking: { type: "enabled", budgetTokens: 2000 } },
  google: { thinkingConfig: { includeThoughts: true } },
};

/** The part for chat completions reads no thoughts, that for Responses only summaries of them. */
export function readsThoughts(speaker, provider) {
  const tellsItself = ["open", "cohere", "ollama", "ollama-native"].includes(provider);
  return speaker !== "chat" && !(speaker === "responses" && tellsItself);
}

/** What a stream comes to, in the form of a whole answer; what went wrong in it is thrown. */
export async function readStream(request) {
  const result = streamText({ ...request, onError: () => {} });
  const read = { text: "", reasoningText: "" };
  for await (const part of result.fullStream) {
    if (part.type === "text-delta") read.text += part.text;
    if (part.type === "reasoning-delta") read.reasoningText += part.text;
    if (part.type === "error") throw part.error;
  }
  return { ...read, usage: await result.totalUsage, output: request.output && await result.output };
}
