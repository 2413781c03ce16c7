// The keys screen: who may use the proxy, and how much.
import { request } from "./api.js";
import { badge, confirmed, copy, dialog, el, iconButton, terms } from "./dom.js";
import { moment, number, t } from "./i18n.js";
import { ErrorNotice } from "./error-notice.js";

/** The screen for administrators. */
export class Keys {
  constructor({ needsKey }) {
    this.needsKey = needsKey;
    this.first = el("p.note", { t: "keys.first", hidden: true });
    this.list = el("ul.keys", {}, el("li.empty.loading", { t: "loading" }));
    this.errorNotice = new ErrorNotice();
    this.element = el("div.screen", {}, el("h1", { t: "keys.title" }), this.first, this.form(), this.errorNotice.element, this.list);
    document.addEventListener("language", () => this.draw());
  }

  open() {
    this.first.hidden = this.needsKey();
    return this.attempt(() => this.load());
  }

  async load() {
    this.keys = (await request("GET", "/admin/keys")).data;
    this.draw();
  }

  draw() {
    if (!this.keys) return;
    const focused = document.activeElement.closest("[data-key]")?.dataset.key;
    const shown = this.keys.map((key) => this.card(key));
    this.list.replaceChildren(...(shown.length ? shown : [el("li.empty", { t: "keys.empty" })]));
    if (focused) this.list.querySelector(`[data-key="${focused}"]`)?.focus(); // its button may be gone
  }

  card(key) {
    const state = stateOf(key);
    const about = (verb) => ({ type: "button", "aria-label": `${t(verb)}: ${key.name}` });
    const rotate = el("button.small", { ...about("keys.rotate"), onclick: () => this.rotate(key) }, t("keys.rotate"));
    const revoke = el("button.small.danger", { ...about("keys.revoke"), onclick: () => this.revoke(key) }, t("keys.revoke"));
    const buttons = state === "ended" ? null : el("div.actions", {}, rotate, revoke);
    const head = el("div.row", {}, el("h2", {}, key.name), badge(state === "active", `keys.${state}`), el("span.grow"), el("code", {}, key.hint));
    const limit = (value) => (value === null ? t("keys.none") : number(value));
    const time = (value) => (value === null ? t("keys.never") : moment(value));
    const facts = terms([
      ["keys.created", moment(key.created_at)],
      ["keys.expires", time(key.expires_at)],
      ["keys.last", time(key.last_used_at)],
      ["keys.rpm", limit(key.rpm)],
      ["keys.tpd", limit(key.tpd)],
      ["keys.models", key.models?.join(", ") ?? t("keys.any")],
    ]);
    return el(`li.card.${state}`, { "data-key": key.id, tabindex: "-1" }, head, facts, buttons);
  }

  form() {
    const fields = {
      name: field("keys.name", { required: true, maxlength: 64 }),
      rpm: field("keys.rpm", { type: "number", min: 1, step: 1 }),
      tpd: field("keys.tpd", { type: "number", min: 1, step: 1 }),
      models: field("keys.models", { "aria-describedby": "help-models" }, "keys.models.help", "help-models"),
      expires_in: field("keys.expires", { "aria-describedby": "help-expires" }, "keys.expires.help", "help-expires"),
    };
    const submit = el("button.primary", { type: "submit", t: "keys.create" });
    const form = el("form.card.fields", {}, Object.values(fields).map(({ element }) => element), submit);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const values = Object.fromEntries(Object.entries(fields).map(([name, { input }]) => [name, input.value.trim()]));
      submit.disabled = true; // a second click would ask for another one
      this.attempt(async () => {
        const created = await request("POST", "/admin/keys", newKey(values));
        form.reset();
        await showSecret(created); // first: the first key there is ends the time without keys, and this page's too
        await this.load();
      }).finally(() => (submit.disabled = false));
    });
    return form;
  }

  async revoke(key) {
    if (!(await confirmed("keys.revoke", t("keys.revoke.sure", { name: key.name }), "keys.revoke"))) return;
    await this.attempt(async () => {
      await request("DELETE", `/admin/keys/${key.id}`);
      await this.load();
    });
  }

  async rotate(key) {
    if (!(await confirmed("keys.rotate", t("keys.rotate.sure", { name: key.name }), "keys.rotate"))) return;
    await this.attempt(async () => {
      const created = await request("POST", `/admin/keys/${key.id}/rotate`);
      await showSecret(created);
      await this.load();
    });
  }

  async attempt(work) {
    this.errorNotice.hide();
    try {
      await work();
    } catch (error) {
      this.errorNotice.show(error);
      this.errorNotice.element.scrollIntoView({ block: "nearest" });
    }
  }
}

function stateOf(key) {
  if (key.revoked_at !== null) return "ended";
  return key.expires_at !== null && key.expires_at * 1000 < Date.now() ? "expired" : "active";
}

function newKey({ name, rpm, tpd, models, expires_in: expiresIn }) {
  const body = { name };
  if (rpm) body.rpm = Number(rpm);
  if (tpd) body.tpd = Number(tpd);
  if (models) body.models = models.split(/[,，]/).map((each) => each.trim()).filter(Boolean);
  if (expiresIn) body.expires_in = expiresIn;
  return body;
}

function field(key, attributes, help, id) {
  const input = el("input", { type: "text", autocomplete: "off", ...attributes });
  return { input, element: el("div.field", {}, el("label", {}, el("span", { t: key }), input), help ? el("p.hint", { id, t: help }) : null) };
}

function showSecret({ key }) {
  const button = iconButton("copy", "copy.key", () => copy(key, button));
  const row = el("div.secret", {}, el("code", {}, key), button);
  return dialog("keys.secret", el("div", {}, el("p", { t: "keys.once" }), row), el("button.primary", { type: "button", t: "keys.secret.done", value: "done" }));
}
