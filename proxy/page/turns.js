// Messages as they are shown.
import { callList } from "./calls.js";
import { copy, el, iconButton } from "./dom.js";
import { t } from "./i18n.js";
import { rendered } from "./markdown.js";
import { errorNote } from "./error-notice.js";

const MIN_PAUSE = 60; // milliseconds between two looks of a growing answer; more where it takes long to draw

/** A person's message: `{text, pictures}`; a picture that is no longer here is null. */
export function question({ text, pictures }) {
  const shown = pictures.map((url) =>
    url ? el("img", { src: url, alt: t("chat.picture") }) : el("span.gone", { t: "chat.picture.gone" }),
  );
  return el(
    "article.turn.user",
    {},
    el("h2.unseen", { t: "chat.you" }),
    shown.length ? el("div.pictures", {}, shown) : null,
    el("div.text", { dir: "auto" }, text),
  );
}

/**
 * An answer: `{text, thoughts, state, why, sources, calls}`, with `state` one of streaming, done, broken (a part of it
 * came) and failed (nothing did). `why` is an error, or "stopped". What a model thought is not kept: where it is not known
 * any more, `thoughts` is missing. *onAgain* is null where it cannot be had anew.
 */
export class Answer {
  constructor(turn, { onAgain }) {
    this.turn = turn;
    this.onAgain = onAgain;
    this.thoughts = el("p", { dir: "auto" });
    this.thinking = el("details.thinking", {}, el("summary", { t: "chat.thinking" }), this.thoughts);
    this.body = el("div.text.markdown");
    this.after = el("div.after");
    this.element = el("article.turn.assistant", {}, el("h2.unseen", { t: "chat.answer" }), this.thinking, this.body, this.after);
    this.drawnAt = 0;
    this.cost = 0;
    this.draw();
  }

  /** More text came: draw it soon. */
  grow() {
    if (this.waiting) return;
    const pause = Math.max(MIN_PAUSE, 4 * this.cost);
    this.waiting = setTimeout(() => this.draw(), Math.max(0, this.drawnAt + pause - performance.now()));
  }

  /** Draw it as it is now. */
  draw() {
    clearTimeout(this.waiting);
    this.waiting = null;
    const started = performance.now();
    const { text, thoughts, state } = this.turn;
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(state === "streaming"));
    this.thinking.hidden = !thoughts;
    this.thoughts.textContent = thoughts;
    this.body.replaceChildren(text ? rendered(text) : state === "streaming" ? waiting() : "");
    this.drawEnd();
    this.drawnAt = performance.now();
    this.cost = this.drawnAt - started;
    this.element.dispatchEvent(new Event("drawn", { bubbles: true }));
  }

  /** Draw what stands below the text, in the language now. */
  drawEnd() {
    const { state, sources, calls, stored, why } = this.turn;
    const parts = calls?.length ? [callList(calls)] : [];
    if (sources?.length) parts.push(sourceList(sources));
    if (state === "broken" || state === "failed") parts.push(endNote(this.turn));
    if (state === "broken" && !stored && why !== "stopped") parts.push(el("p.note", { t: "chat.unkept" }));
    if (state !== "streaming") parts.push(this.buttons());
    this.after.replaceChildren(...parts);
  }

  buttons() {
    const { text } = this.turn;
    const copying = text ? iconButton("copy", "copy.answer", () => copy(text, copying), ".small") : null;
    const again = this.onAgain ? iconButton("again", "chat.again", () => this.onAgain(this.turn), ".small.again") : null;
    return el("div.actions", {}, copying, again);
  }
}

function waiting() {
  return el("p.waiting", {}, el("span", { t: "chat.waiting" }));
}

function endNote({ state, why, text }) {
  if (why === "stopped") return el("p.note", { t: text ? "chat.stopped" : "chat.stopped.empty" });
  return errorNote(why, state === "broken" ? "chat.broken" : "chat.failed");
}

function sourceList(sources) {
  const seen = new Map(sources.map(({ url_citation: { url, title } }) => [url, title || url]));
  const links = [...seen]
    .filter(([url]) => /^https?:/i.test(url))
    .map(([url, title]) => el("li", {}, el("a", { href: url, target: "_blank", rel: "noopener noreferrer nofollow" }, title)));
  return el("div.sources", {}, el("h3", { t: "chat.sources" }), el("ol", {}, links));
}
