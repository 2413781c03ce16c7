// The list of models, and which one is chosen.
import { abilities, resting } from "./abilities.js";
import { request } from "./api.js";
import { el } from "./dom.js";
import { t } from "./i18n.js";
import { keep, recall } from "./storage.js";

const POLL_INTERVAL = 3_000; // milliseconds

/** A choice among the models there are; calls `onChange(model)`. */
export class ModelChoice {
  constructor(onChange) {
    this.models = [];
    this.select = el("select", { label: "chat.model" });
    this.element = el("label.model", {}, el("span.unseen", { t: "chat.model" }), this.select);
    this.about = el("p.abilities");
    this.select.addEventListener("change", () => {
      keep("model", this.select.value);
      this.changed();
    });
    this.onChange = onChange;
  }

  /** Whether there is nothing to choose from, as far as is known. */
  get isEmpty() {
    return this.isLoaded === true && !this.models.length;
  }

  /** The model that is chosen; undefined where there is none. */
  get current() {
    return this.models.find(({ id }) => id === this.select.value);
  }

  /** Ask which there are. Raises `ApiError`. */
  async load() {
    const { data } = await request("GET", "/v1/models");
    const isNew = !this.isLoaded || JSON.stringify(data) !== JSON.stringify(this.models);
    this.models = data;
    this.isLoaded = true;
    if (isNew) this.draw(); // else whoever is choosing goes on undisturbed
  }

  /** Wait until it is known which there are; where it is, look whether that has changed. Raises `ApiError`. */
  async ready() {
    if (this.models.length) this.refresh();
    else await this.load();
  }

  /** Ask again; what was known stays in view where that fails. */
  async refresh() {
    await this.load().catch(() => {});
  }

  /** Ask again by itself, as long as the one that is chosen would not be answered. */
  watch() {
    this.unwatch();
    this.timer = setInterval(() => document.hidden || this.current?.state === "ready" || this.refresh(), POLL_INTERVAL);
  }

  unwatch() {
    clearInterval(this.timer);
  }

  /** Draw the list anew, in the language now. */
  draw() {
    const chosen = this.select.value || recall("model", "");
    const bots = this.models.filter((model) => !model.alias_of).map((model) => option(model, model.name ? `${model.name} (${model.id})` : model.id));
    const aliases = this.models.filter((model) => model.alias_of).map((model) => option(model, `${model.id} → ${model.alias_of}`));
    this.select.replaceChildren(...[group("chat.bots", bots), group("chat.aliases", aliases)].filter(Boolean));
    this.choose(chosen);
  }

  /** Choose the one with this *id*, where it is there. */
  choose(id) {
    if (this.models.some((model) => model.id === id)) this.select.value = id;
    this.changed();
  }

  changed() {
    const { current } = this;
    const line = current ? abilities(current) : "";
    this.about.replaceChildren(...[current && resting(current), line].filter(Boolean));
    this.about.title = line;
    this.onChange(current);
  }
}

function option({ id, state }, text) {
  return el("option", { value: id }, state === "ready" ? text : `${text} – ${t(`can.state.${state}`)}`);
}

function group(key, options) {
  if (!options.length) return null;
  const found = el("optgroup", {}, options);
  found.label = t(key);
  return found;
}
