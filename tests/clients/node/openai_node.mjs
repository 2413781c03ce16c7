// openai-node.

import OpenAI from "openai";

import { perform } from "./scenarios.mjs";

// A list of messages that goes along each time.
class Chat {
  constructor(typed, model) {
    this.client = new Function("OpenAI", `return ${typed[0]}`)(OpenAI);
    this.model = model;
    this.messages = [];
  }

  async *stream(text) {
    this.messages.push({ role: "user", content: text });
    const { model, messages } = this;
    const stream = await this.client.chat.completions.create({ model, messages, stream: true });
    let content = "";
    for await (const chunk of stream) {
      const piece = chunk.choices[0]?.delta?.content;
      if (!piece) continue;
      content += piece;
      yield piece;
    }
    this.messages.push({ role: "assistant", content });
  }

  async ask(text) {
    this.messages.push({ role: "user", content: text });
    const { model, messages } = this;
    const completion = await this.client.chat.completions.create({ model, messages });
    this.messages.push(completion.choices[0].message);
    return completion.choices[0].message.content;
  }
}

await perform((typed, model) => new Chat(typed, model));
