// Making elements. Texts go in as text, never as markup.
import { t, translate } from "./i18n.js";

/**
 * An element `tag.class.class` with *attributes* and *children* (elements or texts; null is left out).
 * `t`, `label` and `placeholder` are keys of texts, `on…` are listeners.
 */
export function el(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) set(element, key, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  translateOwn(element);
  return element;
}

function set(element, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key === "t") element.dataset.t = value;
  else if (key === "label") element.dataset.tLabel = value;
  else if (key === "placeholder") element.dataset.tPlaceholder = value;
  else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
  else element.setAttribute(key, value === true ? "" : value);
}

function translateOwn(element) {
  const { t: text, tLabel, tPlaceholder } = element.dataset;
  if (text || tLabel || tPlaceholder) translate(element);
}

/** A button that shows the icon *name*, called *key*. */
export function iconButton(name, key, onclick, style = "") {
  return el(`button.icon${style}`, { type: "button", label: key, onclick }, icon(name));
}

const PATHS = {
  menu: "M4 6h16M4 12h16M4 18h16",
  plus: "M12 5v14M5 12h14",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9h.01",
  globe: "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18zM3 12h18M12 3c5 5 5 13 0 18M12 3c-5 5-5 13 0 18",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  again: "M20 11a8 8 0 1 0-2 6M20 5v6h-6",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
  close: "M6 6l12 12M18 6L6 18",
  theme: "M12 3a9 9 0 1 0 9 9a7 7 0 0 1-9-9z",
  out: "M10 4H5v16h5M15 8l4 4-4 4M19 12H9",
};

/** A line drawing; it says nothing to those who cannot see it. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A word in the colour of what it tells. */
export function badge(good, key) {
  return el(`span.badge.${good ? "good" : "bad"}`, { t: key });
}

/** Terms and what they are now, as a list; null is left out. */
export function terms(pairs) {
  const shown = pairs.filter(([, value]) => value !== null);
  return el("dl", {}, shown.map(([key, value]) => el("div", {}, el("dt", { t: key }), el("dd", {}, value))));
}

/** Open a dialog headed *key* around *content*; resolves to the `value` of the button that closed it, or "". */
export function dialog(key, content, ...buttons) {
  const heading = el("h2", { t: key, id: "dialog-heading" });
  const box = el("dialog", { "aria-labelledby": "dialog-heading" }, heading, content, el("div.actions", {}, buttons), toast());
  for (const each of buttons) each.addEventListener("click", () => each.value && box.close(each.value));
  document.body.append(box);
  box.showModal();
  return new Promise((resolve) => {
    box.addEventListener("close", () => {
      box.remove();
      resolve(box.returnValue);
    });
  });
}

/** Ask before something that cannot be undone; *text* says what. */
export async function confirmed(heading, text, yes) {
  const cancel = el("button", { type: "button", t: "cancel", value: "no" });
  const go = el("button.danger", { type: "button", t: yes, value: "yes" });
  return (await dialog(heading, el("p", {}, text), cancel, go)) === "yes";
}

/** Copy *text*, also where the page did not come by TLS, and say so on *button* for a moment; or that it failed. */
export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copyByHand(text)) return announce(t("copy.failed")); // there is no clipboard without TLS, or it is kept from us
  }
  announce(t("copied"));
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1500);
}

/** A box around *pre*, which shows code: above it *title* (an element), and a button, called *name*, that copies `textOf()`. */
export function codeBox(title, pre, textOf, name = "copy.code") {
  const button = iconButton("copy", name, () => copy(textOf(), button), ".small");
  pre.tabIndex = 0; // it scrolls: keys must reach it
  return el("div.code", {}, el("div.bar", {}, title, button), pre);
}

function copyByHand(text) {
  const focused = document.activeElement; // selecting takes the focus
  const area = el("textarea.unseen", { "aria-hidden": "true" });
  area.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  focused.focus({ preventScroll: true });
  return isCopied;
}

/** Where `announce` says something: one in the page, and one in a dialog, beside which nothing is read out. */
export function toast() {
  return el("div.toast", { role: "status" });
}

/** Say *text* for a moment, to eyes and ears. */
export function announce(text) {
  const place = [...document.querySelectorAll(".toast")].at(-1);
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(Number(place.dataset.timer));
  place.dataset.timer = setTimeout(() => place.classList.remove("shown"), 2500);
}
