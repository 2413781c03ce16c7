// The AI SDK of Vercel with its provider for compatible servers and that for OpenAI: tools, and objects.

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateObject, generateText, isStepCount, streamObject, streamText, tool } from "ai";
import { z } from "zod";

import { Weather, description, perform, plan, scenario, weatherIn } from "./telling.mjs";

const compatible = createOpenAICompatible({
  name: "freeaichat", baseURL: plan.base_url, apiKey: plan.key, supportsStructuredOutputs: true,
})(plan.model);
const openai = createOpenAI({ baseURL: plan.base_url, apiKey: plan.key });
const responses = openai(plan.model);
const get_weather = tool({
  description, inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => weatherIn(city),
});
const tools = { get_weather };
const limits = { maxRetries: 0, stopWhen: isStepCount(4) };

const generatesText = (model) => async (prompt) => (await generateText({ model, tools, prompt, ...limits })).text;
const streamsText = (model) => async (prompt) => whole(streamText({ model, tools, prompt, ...limits }));
const generatesObject = (model) => async (prompt) => (
  (await generateObject({ model, schema: Weather, prompt, maxRetries: 0 })).object
);
const streamsObject = (model) => async (prompt) => {
  const { partialObjectStream } = streamObject({ model, schema: Weather, prompt, maxRetries: 0 });
  let last;
  for await (const piece of partialObjectStream) last = piece;
  return last;
};
const outputsObject = (model) => async (prompt) => (
  (await generateText({ model, tools, prompt, output: Output.object({ schema: Weather }), ...limits })).output
);

scenario("weather", "generate_text", generatesText(compatible));
scenario("weather", "stream_text", streamsText(compatible));
scenario("pair", "stream_parallel", streamsText(compatible));
scenario("object", "generate_object", generatesObject(compatible));
scenario("object", "stream_object", streamsObject(compatible));
scenario("weather_then_object", "output_object", outputsObject(compatible));
scenario("weather", "responses_generate_text", generatesText(responses));
scenario("weather", "responses_stream_text", streamsText(responses));
scenario("pair", "responses_stream_parallel", streamsText(responses));
scenario("object", "responses_generate_object", generatesObject(responses));
scenario("object", "responses_stream_object", streamsObject(responses));
scenario("weather_then_object", "responses_output_object", outputsObject(responses));

const builds = (use) => async (prompt) => {
  const [ran, started, patched] = [[], [], []];
  const outcome = { type: "exit", exitCode: 0 };
  const tools = {
    shell: openai.tools.shell({
      execute: ({ action }) => {
        ran.push(...action.commands);
        return { output: action.commands.map(() => ({ stdout: "done", stderr: "", outcome })) };
      },
    }),
    local_shell: openai.tools.localShell({
      execute: ({ action }) => { started.push(...action.command); return { output: "done" }; },
    }),
    apply_patch: openai.tools.applyPatch({
      execute: ({ operation: { path, diff } }) => { patched.push(path, diff); return { status: "completed" }; },
    }),
  };
  return [ran, started, patched, await use({ model: responses, tools, prompt, ...limits })];
};

scenario("defined", "responses_tools_of_openais", builds(async (options) => (await generateText(options)).text));
scenario("defined", "responses_stream_tools_of_openais", builds((options) => whole(streamText(options))));

scenario("forced_only", "required", async (prompt) => {
  const { toolCalls } = await generateText({
    model: compatible, tools, prompt, toolChoice: "required", maxRetries: 0, stopWhen: isStepCount(1),
  });
  return toolCalls.map(({ toolName, input }) => [toolName, input]);
});

async function whole({ textStream }) {
  let text = "";
  for await (const piece of textStream) text += piece;
  return text;
}

await perform();
