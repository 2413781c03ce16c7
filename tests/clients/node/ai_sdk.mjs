// The AI SDK of Vercel, with either of its providers.

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";

import { perform } from "./scenarios.mjs";

// The messages of each result are added to those that go along next.
class Chat {
  constructor(typed) {
    const names = { createOpenAI, createOpenAICompatible };
    this.model = new Function(...Object.keys(names), `return ${typed[0]}`)(...Object.values(names));
    this.messages = [];
  }

  async *stream(text) {
    this.messages.push({ role: "user", content: text });
    const { model, messages } = this;
    const leaving = new AbortController();
    let failure;
    const onError = ({ error }) => { failure = error; };
    const result = streamText({ model, messages, abortSignal: leaving.signal, onError });
    try {
      for await (const piece of result.textStream) yield piece;
    } finally {
      leaving.abort();
    }
    if (failure) throw failure;
    this.messages.push(...(await result.response).messages);
  }

  async ask(text) {
    this.messages.push({ role: "user", content: text });
    const { model, messages } = this;
    const result = await generateText({ model, messages });
    this.messages.push(...result.response.messages);
    return result.text;
  }
}

await perform((typed) => new Chat(typed));
