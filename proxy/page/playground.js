// The chat: conversations, messages, and what asks for more of them.
import { Composer, isComposing } from "./composer.js";
import * as conversations from "./conversations.js";
import { announce, el, icon, iconButton } from "./dom.js";
import { ask, removeExchange, storedTurns } from "./exchange.js";
import { FirstRun } from "./first-run.js";
import { t } from "./i18n.js";
import { Log } from "./log.js";
import { ModelChoice } from "./models.js";
import { copyButtons, requestOf } from "./snippets.js";
import { ErrorNotice } from "./error-notice.js";
import { Answer, question } from "./turns.js";

/** The screen. It lives as long as the page, so that an answer goes on while another screen is looked at. */
export class Playground {
  constructor({ needsKey }) {
    Object.assign(this, { needsKey, entry: null, place: "new", turns: [], shown: new Map() });
    this.errorNotice = new ErrorNotice("chat.failed");
    this.composer = new Composer({ onSend: (...sent) => this.send(...sent), onStop: () => this.stop() });
    this.first = new FirstRun(() => requestOf(this));
    this.choice = new ModelChoice((model) => this.offer(model));
    this.build();
    document.addEventListener("keydown", (event) => {
      const isMeant = this.element.isConnected && !isComposing(event) && !document.querySelector("dialog[open]");
      if (event.key === "Escape" && isMeant) this.stop();
    });
    document.addEventListener("language", () => {
      this.choice.draw(); // and with it the card for newcomers
      this.shown.forEach((answer) => answer.drawEnd());
      this.drawList();
    });
  }

  build() {
    this.list = el("div.list");
    const fresh = el("a.button", { href: "#/chat/new" }, icon("plus"), el("span", { t: "list.new" }));
    this.side = el("aside.side", { label: "list.title" }, fresh, this.list);
    this.drawer = iconButton("menu", "list.title", () => this.slide(!this.side.classList.contains("open")), ".drawer");
    this.slide(false);
    const head = el("div.chat-head", {}, this.drawer, this.choice.element, this.choice.about, copyButtons(() => requestOf(this)));
    this.log = new Log(() => this.slide(false));
    const foot = el("div.foot", {}, this.composer.element, el("p.hint", { t: "chat.hint" }));
    this.element = el("div.playground", {}, this.side, el("section.chat", {}, el("h1.unseen", { t: "nav.chat" }), head, this.log.element, foot));
  }

  /** On a small screen, slide the list of conversations in or out. */
  slide(isIn) {
    this.side.classList.toggle("open", isIn);
    this.drawer.setAttribute("aria-expanded", String(isIn));
    if (isIn) this.side.firstChild.focus(); // it stands before its button
  }

  /** Show the conversation with this *id*: "new" for a new one, none for the one that was asked for last. */
  async open(id) {
    this.slide(false);
    this.choice.watch();
    const place = (this.place = id || this.place);
    const shown = this.entry?.id ?? (id ? null : "new"); // who asks for a new one gets another
    if ((this.isOpen || this.composer.isBusy) && place === shown) return this.arrive(place);
    this.isOpen = true;
    await this.stop();
    this.arrive(place);
    const entry = (this.entry = place === "new" ? null : (conversations.find(place) ?? { id: place, title: place, broken: {} }));
    this.turns = [];
    this.draw();
    try {
      await this.choice.ready();
      if (entry && entry === this.entry) await this.load(entry);
    } catch (error) {
      return entry === this.entry && this.showError(error); // else another one was opened meanwhile
    }
    this.composer.field.focus({ preventScroll: true });
  }

  /** What is shown, or about to be, is *place*; the address tells it, unless it names another screen. */
  arrive(place) {
    this.place = place;
    const isTold = !this.element.isConnected || (place === "new" && !location.hash.startsWith("#/chat/"));
    if (!isTold) history.replaceState(null, "", `#/chat/${place}`);
    this.log.toEnd();
  }

  hide = () => this.choice.unwatch();

  async load(entry) {
    this.log.show(el("p.empty.loading", { t: "loading" }));
    const stored = await storedTurns(entry);
    if (entry !== this.entry) return; // another one was opened meanwhile
    this.turns = [...stored, ...this.turns]; // what was sent meanwhile comes last
    if (entry.model) this.choice.choose(entry.model);
    if (!this.composer.isBusy) this.composer.text ||= conversations.unansweredQuestion(entry.id);
    this.draw();
  }

  async send(text, pictures) {
    const asked = { role: "user", text, pictures };
    const turn = { role: "assistant", text: "", thoughts: "", sources: [], stored: false, state: "streaming", why: null };
    this.turns.push(asked, turn);
    this.draw();
    this.composer.setBusy(true);
    await (this.running = this.run(asked, turn));
    this.composer.setBusy(false);
    if (turn.state === "done") this.first.end();
    [...this.shown.values()].at(-1)?.draw();
    this.choice.refresh();
  }

  /** *model* was chosen, or is known better now; undefined: there is none. */
  offer(model) {
    this.composer.setModel(model);
    this.first.draw();
    this.log.element.querySelector(".welcome")?.replaceWith(this.welcome());
  }

  async run(asked, turn) {
    const isNew = !this.entry;
    this.abort = new AbortController();
    try {
      if (!this.choice.models.length) await this.choice.load(); // what is asked early waits for them
      this.entry ??= await conversations.create(asked.text, this.choice.select.value);
    } catch (error) {
      return Object.assign(turn, { state: "failed", why: error });
    }
    const entry = this.entry;
    const model = this.choice.select.value;
    conversations.remember(Object.assign(entry, { model }));
    if (isNew && this.place === "new") this.arrive(entry.id); // else another was asked for meanwhile
    this.drawList();
    const how = { model, search: this.composer.wantsSearch, signal: this.abort.signal, onText: () => this.shown.get(turn)?.grow() };
    return ask(entry, asked, turn, how);
  }

  /** End the answer that is on its way, if there is one, and the one that takes the place of another. */
  async stop() {
    for (let ended = null; ended !== this.running; await ended) {
      ended = this.running;
      this.abort?.abort();
    }
  }

  async again(turn) {
    if (this.composer.isBusy) return;
    const place = this.turns.indexOf(turn);
    const asked = this.turns[place - 1];
    if (asked.pictures.includes(null)) return announce(t("chat.picture.gone"));
    if (asked.pictures.length && !this.choice.current?.images) return announce(t("chat.picture.refused"));
    this.composer.setBusy(true); // from now on: a second click would take back the exchange before
    this.composer.stopping.focus(); // the button that was pressed is about to go
    const back = turn.stored ? removeExchange(this.entry, turn) : Promise.resolve();
    this.running = back.catch(() => {});
    try {
      await back;
    } catch (error) {
      this.composer.setBusy(false);
      return announce(error.message);
    }
    this.turns.splice(place - 1);
    await this.send(asked.text, asked.pictures);
  }

  draw() {
    const before = this.shown;
    this.shown = new Map();
    const all = this.turns.map((turn) => (turn.role === "user" ? question(turn) : this.answer(turn, before.get(turn)).element));
    this.log.show(...(all.length ? all : [this.welcome()]));
    this.drawList();
  }

  /** The answer *turn*, as it was shown before if it was. */
  answer(turn, before) {
    const isReply = !turn.calls && this.turns[this.turns.indexOf(turn) - 1]?.role === "user"; // no step of an agent
    const answer = before ?? new Answer(turn, { onAgain: isReply ? () => this.again(turn) : null });
    this.shown.set(turn, answer);
    return answer;
  }

  drawList() {
    const hasFocus = this.list.contains(document.activeElement);
    const onGone = (id) => (id === this.entry?.id ? (location.hash = "#/chat/new") : this.drawList());
    this.list.replaceChildren(conversations.listOf(this.entry?.id, onGone));
    if (hasFocus) this.side.firstChild.focus(); // what had it is gone
  }

  welcome() {
    const more = this.choice.isEmpty ? "chat.models.none" : "chat.welcome.more";
    return el("div.welcome", {}, el("h2", { t: "chat.welcome" }), el("p", { t: more }), this.choice.isEmpty ? null : this.first.element);
  }

  showError(error) {
    this.isOpen = false; // coming back tries again
    if (error.status === 404 && this.entry) {
      conversations.forget(this.entry.id);
      Object.assign(this, { entry: null, place: "new" }); // what is written next begins another
    }
    this.errorNotice.show(error);
    this.log.show(this.errorNotice.element);
    this.drawList();
  }
}
