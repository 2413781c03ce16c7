// A stored conversation: its turns, one more of them, and what becomes of that.
import { ApiError, request, streamChat } from "./api.js";
import { takeCall } from "./calls.js";
import { dropQuestion, keepQuestion, remember } from "./conversations.js";

const PAGE_SIZE = 100;
const MAX_PAGES = 50;

/**
 * Ask in the conversation *entry*; *answer* grows with its text and thoughts, and ends in one of its states. *search*: with
 * web search. What broke off is stored by us, since the proxy keeps whole answers only.
 */
export async function ask(entry, question, answer, { model, search, signal, onText }) {
  keepQuestion(entry.id, question.text);
  try {
    answer.after = (await newest(entry.id, 1))[0]?.id;
    const taking = (part) => (piece) => {
      answer[part] += piece;
      onText();
    };
    const body = { model, conversation_id: entry.id, messages: [message(question)], ...(search ? { web_search: true } : {}) };
    const extra = await streamChat(body, { onText: taking("text"), onThought: taking("thoughts"), signal });
    answer.text ||= extra.refusal ?? "";
    answer.sources = extra.annotations;
    answer.state = "done";
    answer.stored = true;
    dropQuestion();
  } catch (error) {
    answer.why = error.name === "AbortError" ? "stopped" : error;
    const state = answer.text || answer.why === "stopped" ? "broken" : "failed";
    if (answer.text) await storePartial(entry, question, answer);
    if (answer.stored) dropQuestion();
    answer.state = state; // not before: whoever sees it may load the page again
  }
}

/**
 * Take the last exchange, of which *shown* is the answer, out of the conversation, so that it can be had anew. Raises
 * `ApiError`, also where another exchange is the last by now: another tab or program went on.
 */
export async function removeExchange(entry, shown) {
  const [answer, question, before] = await newest(entry.id, 3);
  if (answer?.role !== "assistant") return;
  if (shown.id ? answer.id !== shown.id : before?.id !== shown.after) throw new ApiError(0, { own: "error.elsewhere" });
  await request("DELETE", `/v1/conversations/${entry.id}/items/${answer.id}`);
  if (question?.role === "user") await request("DELETE", `/v1/conversations/${entry.id}/items/${question.id}`);
}

/** The turns of the conversation *entry*, oldest first. Raises `ApiError`. */
export async function storedTurns(entry) {
  const turns = [];
  for (const item of await items(entry.id)) {
    if (item.type !== "message") takeCall(item, turns);
    else if (item.role !== "system") turns.push(turnOf(item, entry));
  }
  return turns;
}

function turnOf({ id, role, content }, entry) {
  const text = content.filter((part) => part.text).map((part) => part.text).join("\n");
  if (role === "user") return { role, text, pictures: content.filter(({ type }) => type === "input_image").map(() => null) };
  const why = entry.broken[id];
  const sources = content.flatMap((part) => part.annotations ?? []).map((each) => ({ url_citation: each })); // as a chat's
  return { role, id, text, sources, stored: true, state: why ? "broken" : "done", why: why && (why === "stopped" ? why : ApiError.again(why)) };
}

async function items(id) {
  const found = [];
  let after = "";
  for (let page = 0; page < MAX_PAGES; page++) {
    const more = await request("GET", `/v1/conversations/${id}/items?order=asc&limit=${PAGE_SIZE}${after}`);
    found.push(...more.data);
    if (!more.has_more) break;
    after = `&after=${more.last_id}`;
  }
  return found;
}

async function newest(id, count) {
  return (await request("GET", `/v1/conversations/${id}/items?order=desc&limit=${count}`)).data;
}

async function storePartial(entry, question, answer) {
  try {
    const [held] = await newest(entry.id, 1);
    if (held && held.id !== answer.after) {
      answer.stored = true; // it was whole after all
      return;
    }
    const items = [message(question), { role: "assistant", content: answer.text }];
    const added = await request("POST", `/v1/conversations/${entry.id}/items`, { items });
    const [, { id }] = added.data;
    entry.broken = { ...entry.broken, [id]: answer.why === "stopped" ? "stopped" : answer.why.kept };
    answer.stored = true;
    remember(entry);
  } catch (error) {
    answer.why = error; // the part is on the screen only
  }
}

function message({ text, pictures }) {
  const parts = pictures.map((url) => ({ type: "image_url", image_url: { url } }));
  return { role: "user", content: parts.length ? [...(text ? [{ type: "text", text }] : []), ...parts] : text };
}
