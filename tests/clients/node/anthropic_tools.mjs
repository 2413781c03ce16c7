// @anthropic-ai/sdk, and the AI SDK's provider for Anthropic.

import { createAnthropic } from "@ai-sdk/anthropic";
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { generateObject, generateText, isStepCount, streamText, tool } from "ai";
import { z } from "zod";

import { Weather, description, parameters, perform, plan, scenario, weatherIn } from "./telling.mjs";

const client = new Anthropic({ baseURL: plan.base_url.replace(/\/v1$/, ""), apiKey: plan.key, maxRetries: 0 });
const { model } = plan;
const max_tokens = 1000;
const tools = [{ name: "get_weather", description, input_schema: parameters }];
const user = (content) => [{ role: "user", content }];
const textOf = ({ content }) => content.map((block) => block.text ?? "").join("");
const callsOf = ({ content }) => (
  content.filter((block) => block.type === "tool_use").map(({ name, input }) => [name, input])
);
const whole = (body) => client.messages.create({ model, max_tokens, ...body });
const streamed = (body) => client.messages.stream({ model, max_tokens, ...body }).finalMessage();

async function loop(ask, text) {
  const messages = user(text);
  for (;;) {
    const message = await ask({ messages, tools });
    messages.push({ role: "assistant", content: message.content });
    if (message.stop_reason !== "tool_use") return textOf(message);
    const calls = message.content.filter((block) => block.type === "tool_use");
    messages.push({ role: "user", content: calls.map(({ id, input }) => (
      { type: "tool_result", tool_use_id: id, content: weatherIn(input.city) }
    )) });
  }
}

scenario("plain", "create", async (text) => {
  const message = await whole({ messages: user(text) });
  return [message.stop_reason, textOf(message)];
});

scenario("plain", "stream_of_texts", async (text) => {
  let told = "";
  const stream = client.messages.stream({ model, max_tokens, messages: user(text) }).on("text", (piece) => {
    told += piece;
  });
  return [(await stream.finalMessage()).stop_reason, told];
});

scenario("weather", "tools", (text) => loop(whole, text));
scenario("weather", "tools_streamed", (text) => loop(streamed, text));
scenario("pair", "parallel_tools_streamed", (text) => loop(streamed, text));

scenario("weather", "tool_runner", async (text) => {
  const get_weather = betaZodTool({
    name: "get_weather", description, inputSchema: z.object({ city: z.string() }), run: ({ city }) => weatherIn(city),
  });
  return textOf(await client.beta.messages.toolRunner({
    model, max_tokens, messages: user(text), tools: [get_weather], stream: true,
  }).runUntilDone());
});

scenario("used_forced", "any_tool", async (text) => {
  const message = await whole({ messages: user(text), tools, tool_choice: { type: "any" } });
  return [message.stop_reason, callsOf(message)];
});

scenario("stopped", "stopped_at_a_sequence", async (text) => {
  const message = await streamed({ messages: user(text), stop_sequences: ["three"] });
  return [message.stop_reason, message.stop_sequence, textOf(message)];
});

scenario("object", "parse", async (text) => {
  const format = zodOutputFormat(Weather);
  return (await client.messages.parse({ model, max_tokens, messages: user(text), output_config: { format } }))
    .parsed_output;
});

scenario("counted", "count_tokens", async (text) => {
  const few = await client.messages.countTokens({ model, messages: user(text) });
  const more = await client.messages.countTokens({ model, messages: user(text), tools });
  return more.input_tokens > few.input_tokens && few.input_tokens > 0 ? "some tokens" : [few, more];
});

scenario("listed", "models", async () => {
  const found = [];
  for await (const each of client.models.list({ limit: 2 })) found.push(each);
  const claude = await client.models.retrieve("claude-sonnet-4-5");
  return [found[0].type, found.find(({ id }) => id === model).id, claude.id];
});

scenario("errors", "errors", async (text) => {
  const strange = new Anthropic({ baseURL: client.baseURL, apiKey: "a-wrong-key", maxRetries: 0 });
  const failed = (asked) => asked.catch(({ status, error }) => [status, error.error.type]);
  return [
    await failed(whole({ messages: [] })),
    await failed(strange.messages.create({ model, max_tokens, messages: user(text) })),
    await failed(client.messages.create({ model: "nobody", max_tokens, messages: user(text) })),
  ];
});

scenario("left", "leave_in_the_middle", async (text) => {
  const stream = client.messages.stream({ model, max_tokens, messages: user(text) });
  stream.on("text", () => stream.abort());
  return stream.finalMessage().then(() => "whole", () => (stream.aborted ? "left" : "failed"));
});

const provided = createAnthropic({ baseURL: plan.base_url, apiKey: plan.key })(model);
const get_weather = tool({
  description, inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => weatherIn(city),
});
const settings = { model: provided, tools: { get_weather }, maxRetries: 0, stopWhen: isStepCount(4) };

scenario("weather", "ai_sdk_generate_text", async (prompt) => (await generateText({ ...settings, prompt })).text);

scenario("pair", "ai_sdk_stream_text", async (prompt) => {
  let text = "";
  for await (const piece of streamText({ ...settings, prompt }).textStream) text += piece;
  return text;
});

scenario("forced_only", "ai_sdk_required", async (prompt) => {
  const { toolCalls } = await generateText({ ...settings, prompt, toolChoice: "required", stopWhen: isStepCount(1) });
  return toolCalls.map(({ toolName, input }) => [toolName, input]);
});

scenario("object_tool", "ai_sdk_generate_object", async (prompt) => (
  (await generateObject({ model: provided, schema: Weather, prompt, maxRetries: 0 })).object
));

await perform();
