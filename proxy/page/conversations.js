// The conversations of this browser: their ids and titles are kept here, their texts by the proxy.
import { request } from "./api.js";
import { announce, confirmed, el, iconButton } from "./dom.js";
import { t } from "./i18n.js";
import { drop, keep, keepInTab, recall, recallInTab } from "./storage.js";

const UNANSWERED = "unanswered";
const MAX_CONVERSATIONS = 200;
const MAX_TITLE_CHARS = 120;

/** All that are stored here, the last used first: `{id, title, model, broken: {item id: why}}`. */
function storedEntries() {
  return recall("conversations", []);
}

/** The one with this *id*; undefined where it is not known. */
export function find(id) {
  return storedEntries().find((each) => each.id === id);
}

/** Keep *entry* in the first place. */
export function remember(entry) {
  keep("conversations", [entry, ...storedEntries().filter(({ id }) => id !== entry.id)].slice(0, MAX_CONVERSATIONS));
}

/** Forget the one with this *id* here; the proxy still has it. */
export function forget(id) {
  keep("conversations", storedEntries().filter((each) => each.id !== id));
}

/** Forget all of them here, where others may sign in after whoever had them. */
export function forgetAll() {
  drop("conversations");
  dropQuestion();
}

/** Keep what is asked in the conversation *id* until `dropQuestion`: the page may be left before. */
export function keepQuestion(id, text) {
  keepInTab(UNANSWERED, [id, text]);
}

/** What was asked last is stored, and its answer. */
export function dropQuestion() {
  keepInTab(UNANSWERED, null);
}

/** What this tab asked last, if that was in the conversation *id* and has no answer. */
export function unansweredQuestion(id) {
  const [place, text] = recallInTab(UNANSWERED) ?? [];
  return place === id ? text : "";
}

/** A new one, named by its first message. */
export async function create(text, model) {
  const letters = [...text.trim().split("\n")[0]];
  const line = letters.slice(0, MAX_TITLE_CHARS).join("");
  const title = letters.length > MAX_TITLE_CHARS ? `${line}…` : line || t("chat.picture");
  const { id } = await request("POST", "/v1/conversations", {});
  const entry = { id, title, model, broken: {} };
  remember(entry);
  return entry;
}

/** The list as it is shown. *onGone* is called when the one that is open was deleted. */
export function listOf(current, onGone) {
  const all = storedEntries();
  if (!all.length) return el("p.empty", { t: "list.empty" });
  return el("ul.conversations", {}, all.map((each) => row(each, each.id === current, onGone)));
}

function row(entry, isCurrent, onGone) {
  const about = { dir: "auto", title: entry.title, "aria-current": isCurrent ? "page" : null };
  const link = el("a", { id: `to-${entry.id}`, href: `#/chat/${entry.id}`, ...about }, entry.title);
  const removing = iconButton("trash", "list.delete", () => remove(entry, onGone), ".small");
  removing.setAttribute("aria-describedby", link.id); // all of them have the same name
  return el("li", {}, link, removing);
}

/** *text* as a part of a sentence that may run the other way. */
function isolated(text) {
  return `\u2068${text}\u2069`;
}

async function remove(entry, onGone) {
  if (!(await confirmed("list.delete", t("list.sure", { title: isolated(entry.title) }), "list.delete"))) return;
  try {
    await request("DELETE", `/v1/conversations/${entry.id}`);
  } catch (error) {
    if (error.status !== 404) return announce(error.message); // else it is gone already, as is wanted
  }
  forget(entry.id);
  return onGone(entry.id);
}
