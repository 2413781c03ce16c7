// What the agents' scripts in JavaScript have in common, as in ../agents/telling.py.

import { createInterface } from "node:readline";
import { z } from "zod";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
export const plan = JSON.parse((await lines.next()).value);

export const description = "Tell the weather in a city.";
export const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
export const Weather = z.object({ city: z.string(), degrees: z.number().int() });
export const weatherIn = (city) => `${{ Paris: 21, 北京: 7 }[city]} degrees in ${city}`;

const scenarios = [];

// A scenario in which the model plays `script`; what `perform` gives is told under `name`.
export function scenario(script, name, perform) {
  scenarios.push([script, name, perform]);
}

export async function perform() {
  for (const [script, name, run] of scenarios) {
    try {
      tell(name, { value: await run(`[[script:${script}]] How is the weather?`) });
    } catch (error) {
      tell(name, { error: `${error.name}: ${error.message}`.slice(0, 2000) });
    }
  }
  process.exit();
}

function tell(scenario, what) {
  process.stdout.write(`${JSON.stringify({ scenario, ...what })}\n`);
}
