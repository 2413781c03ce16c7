// What every client in JavaScript goes through, told to the test as in scripts/scenarios.py.

import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// Go through all scenarios; `connect(typed, model)` gives a chat with `stream(text)`, an async generator, and `ask(text)`.
export async function perform(connect) {
  const plan = JSON.parse((await lines.next()).value);
  const chat = ({ key = plan.key, model = plan.model } = {}) =>
    connect(plan.setup.map((cell) => cell.replaceAll(/\bKEY\b/g, key).replaceAll(plan.model, model)), model);

  let dialogue = chat();
  const [first, second, third] = plan.dialogue;
  tell("memory", { answers: [await dialogue.ask(first), await whole(dialogue, second), await dialogue.ask(third)] });

  const pieces = [];
  const times = [];
  for await (const piece of chat().stream(plan.streamed)) {
    pieces.push(piece);
    times.push(performance.now());
  }
  tell("stream", { pieces, seconds: (times.at(-1) - times[0]) / 1000 });

  await tellFailure("unknown_model", () => whole(chat({ model: plan.unknown_model }), "hi"));
  await tellFailure("wrong_key", () => chat({ key: plan.wrong_key }).ask("hi"));

  dialogue = chat();
  for await (const piece of dialogue.stream(plan.long)) {
    tell("left", { after: piece });
    break;
  }
  await lines.next();
  tell("cancel", { answer: await dialogue.ask(plan.next) });
  process.exit();
}

async function whole(chat, text) {
  let answer = "";
  for await (const piece of chat.stream(text)) answer += piece;
  return answer;
}

async function tellFailure(scenario, turn) {
  try {
    tell(scenario, { error: null, code: null, text: await turn() });
  } catch (error) {
    // The SDK of OpenAI names its errors by their classes alone; Vercel's keeps our answer in `data`.
    const name = error.name === "Error" ? error.constructor.name : error.name;
    tell(scenario, { error: name, code: error.code ?? error.data?.error.code, text: error.message });
  }
}

function tell(scenario, what) {
  process.stdout.write(`${JSON.stringify({ scenario, ...what })}\n`);
}
