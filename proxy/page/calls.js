// Calls of tools, as API clients have them in their conversations, and what the tools gave.
import { codeBox, el } from "./dom.js";

/** What is shown of *calls*: `{name, isFree, given, result}`, with a name or a result that may be unknown (null). */
export function callList(calls) {
  return el("div.calls", {}, calls.map(callDetails));
}

/** Put the call that *item* tells of, or its result, to the answer that it belongs to, the last of *turns*. */
export function takeCall(item, turns) {
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  if (item.type.endsWith("_output")) {
    const asked = turns.flatMap((turn) => turn.calls ?? []).findLast((call) => call.id === item.call_id);
    const result = text(item.output ?? item.tools);
    if (asked && asked.result === null) asked.result = result;
    else callsOf(turns).push({ id: null, name: null, isFree: false, given: null, result });
  } else {
    const isFree = item.type === "custom_tool_call";
    const name = item.name ?? "tool_search";
    callsOf(turns).push({ id: item.call_id, name, isFree, given: text(isFree ? item.input : item.arguments), result: null });
  }
}

function callsOf(turns) {
  if (turns.at(-1)?.role !== "assistant") {
    turns.push({ role: "assistant", text: "", sources: [], calls: [], stored: true, state: "done", why: null });
  }
  return (turns.at(-1).calls ??= []);
}

function callDetails({ name, isFree, given, result }) {
  const head = el("summary", {}, el("span", { t: name === null ? "chat.call.result" : "chat.call" }), name === null ? null : el("code", {}, name));
  const parts = [given === null ? null : block(isFree ? "chat.call.input" : "chat.call.arguments", isFree ? given : formatJson(given))];
  if (result !== null) parts.push(block("chat.call.result", result));
  return el("details.call", { open: true }, head, parts);
}

function block(key, text) {
  return codeBox(el("span", { t: key }), el("pre", {}, el("code", {}, text)), () => text);
}

/** *text* on several lines where it is JSON; as it is where that would change a number or a letter of it. */
function formatJson(text) {
  const withoutSpace = (some) => some.replace(/\s/g, "");
  try {
    const formatted = JSON.stringify(JSON.parse(text), null, 2);
    return withoutSpace(formatted) === withoutSpace(text) ? formatted : text;
  } catch {
    return text;
  }
}
