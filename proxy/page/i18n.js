// All texts, in the language that was chosen. Elements made with a text's key follow a change of language.
import en from "./en.js";
import enAdmin from "./en-admin.js";
import enReasons from "./en-reasons.js";
import zh from "./zh.js";
import zhAdmin from "./zh-admin.js";
import zhReasons from "./zh-reasons.js";
import { keepText } from "./storage.js";

const TEXTS = { en: { ...en, ...enAdmin }, "zh-CN": { ...zh, ...zhAdmin } };
const REASONS = { en: enReasons, "zh-CN": zhReasons };
const root = document.documentElement;

/** The language now: `en` or `zh-CN`. */
export function language() {
  return root.lang;
}

/** The text called *key*; `{name}` in it stands for `values.name`. */
export function t(key, values = {}) {
  const text = TEXTS[root.lang][key];
  if (text === undefined) throw new Error(`no text ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** What the proxy's error *code* means, or `visit.CAUSE`; empty where it is not one of its own. */
export function reason(code) {
  return REASONS[root.lang][code] ?? "";
}

/** *text* of ours as nodes: what stands between backticks is code. */
export function coded(text) {
  return text.split("`").map((part, place) => (place % 2 ? Object.assign(document.createElement("code"), { textContent: part }) : part));
}

/** Change to the other language, and tell the screens. */
export function switchLanguage() {
  root.lang = root.lang === "en" ? "zh-CN" : "en";
  keepText("language", root.lang);
  translate(document.body);
  document.dispatchEvent(new Event("language"));
}

/** Put the texts into *element* and all below it that name theirs (`dom.js` sets the names). */
export function translate(element) {
  for (const each of [element, ...element.querySelectorAll("[data-t], [data-t-label], [data-t-placeholder]")]) {
    const { t: text, tLabel: label, tPlaceholder: placeholder } = each.dataset;
    if (text) each.replaceChildren(...coded(t(text)));
    if (label) each.setAttribute("aria-label", t(label));
    if (label && each.matches("button")) each.title = t(label);
    if (placeholder) each.placeholder = t(placeholder);
  }
}

/** A whole number as people write it. */
export function number(value) {
  return new Intl.NumberFormat(root.lang).format(value);
}

/** A number where there is little room: a large one in thousands, millions … as the language counts. */
export function short(value) {
  return Math.abs(value) < 1e5 ? number(value) : new Intl.NumberFormat(root.lang, { notation: "compact" }).format(value);
}

/** A Unix time in seconds as date and time. */
export function moment(seconds) {
  return new Intl.DateTimeFormat(root.lang, { dateStyle: "medium", timeStyle: "short" }).format(seconds * 1000);
}

/** A length of time in *seconds*, in its largest unit or two. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [["d", Math.floor(whole / 86400)], ["h", Math.floor(whole / 3600) % 24], ["m", Math.floor(whole / 60) % 60]];
  const shown = parts.filter(([, count]) => count).slice(0, 2);
  if (!shown.length || (whole < 600 && whole % 60)) shown.push(["s", whole % 60]);
  return shown.map(([unit, count]) => t(`unit.${unit}`, { count })).join(" ");
}
