// openai-node: tools on both APIs, and answers by schema.

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";

import { Weather, description, parameters, perform, plan, scenario, weatherIn } from "./telling.mjs";

const client = new OpenAI({ baseURL: plan.base_url, apiKey: plan.key, maxRetries: 0 });
const { model } = plan;
const get_weather = { name: "get_weather", description, parameters };
const tools = [{ type: "function", function: get_weather }];
const runnable = { ...get_weather, parse: JSON.parse, function: ({ city }) => weatherIn(city) };
const user = (content) => [{ role: "user", content }];

scenario("weather", "runs_tools", async (text) => {
  const runner = client.chat.completions.runTools({
    model, messages: user(text), tools: [{ type: "function", function: runnable }],
  });
  return runner.finalContent();
});

scenario("weather", "runs_tools_streamed", async (text) => {
  const runner = client.chat.completions.runTools({
    model, messages: user(text), tools: [{ type: "function", function: runnable }], stream: true,
  });
  return runner.finalContent();
});

scenario("pair", "runs_parallel_tools_streamed", async (text) => {
  const runner = client.chat.completions.runTools({
    model, messages: user(text), tools: [{ type: "function", function: runnable }], stream: true,
  });
  return runner.finalContent();
});

scenario("forced", "required", async (text) => {
  const completion = await client.chat.completions.create({
    model, messages: user(text), tools, tool_choice: "required",
  });
  const { finish_reason, message } = completion.choices[0];
  return [finish_reason, message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)])];
});

scenario("object", "parse", async (text) => {
  const completion = await client.chat.completions.parse({
    model, messages: user(text), response_format: zodResponseFormat(Weather, "weather"),
  });
  return completion.choices[0].message.parsed;
});

scenario("object", "parse_streamed", async (text) => {
  const stream = client.chat.completions.stream({
    model, messages: user(text), response_format: zodResponseFormat(Weather, "weather"),
  });
  return (await stream.finalChatCompletion()).choices[0].message.parsed;
});

scenario("weather", "responses", async (text) => {
  const tools = [{ type: "function", ...get_weather, strict: false }];
  const input = user(text);
  for (;;) {
    const response = await client.responses.create({ model, input, tools });
    const calls = response.output.filter((item) => item.type === "function_call");
    if (!calls.length) return response.output_text;
    input.push(...response.output, ...calls.map(output));
  }
});

scenario("weather", "responses_streamed", async (text) => {
  const tools = [{ type: "function", ...get_weather, strict: false }];
  let input = user(text);
  let previous_response_id;
  for (;;) {
    const stream = client.responses.stream({ model, input, tools, previous_response_id });
    const response = await stream.finalResponse();
    const calls = response.output.filter((item) => item.type === "function_call");
    if (!calls.length) return response.output_text;
    input = calls.map(output);
    previous_response_id = response.id;
  }
});

const output = ({ call_id, arguments: given }) => (
  { type: "function_call_output", call_id, output: weatherIn(JSON.parse(given).city) }
);

await perform();
