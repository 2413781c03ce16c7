// How everything is, refreshed by itself while it is looked at.
import { ModelTable } from "./abilities.js";
import { ApiError, request } from "./api.js";
import { badge, el } from "./dom.js";
import { coded, duration, t } from "./i18n.js";
import { siteCard } from "./sites.js";
import { ErrorNotice } from "./error-notice.js";
import { Usage } from "./usage.js";

const STATUS_INTERVAL = 5_000; // milliseconds
const USAGE_INTERVAL = 10_000;

/** The screen for administrators. */
export class Dashboard {
  constructor() {
    this.tiles = el("div.tiles");
    this.sites = el("div.sites", {}, el("p.empty.loading", { t: "loading" }));
    this.errorNotice = new ErrorNotice();
    this.models = new ModelTable();
    this.usage = new Usage();
    const sites = el("section", {}, el("h2", { t: "dash.sites" }), this.sites);
    this.element = el("div.screen", {}, el("h1", { t: "dash.title" }), this.errorNotice.element, this.tiles, sites, this.models.element, this.usage.element);
    document.addEventListener("language", () => this.draw());
  }

  open() {
    this.timers = [setInterval(() => this.visible(() => this.load()), STATUS_INTERVAL), setInterval(() => this.visible(() => this.usage.load()), USAGE_INTERVAL)];
    this.usage.load();
    return this.load();
  }

  hide() {
    this.timers.forEach(clearInterval);
  }

  visible(work) {
    if (!document.hidden) work();
  }

  async load() {
    try {
      [this.status] = await Promise.all([request("GET", "/admin/status"), this.models.load()]);
      const { trouble } = this.status.store;
      if (trouble) this.errorNotice.show(new ApiError(0, { code: "store_unavailable", message: trouble }));
      else this.errorNotice.hide();
      this.draw();
    } catch (error) {
      this.errorNotice.show(error); // what was known stays in view
    }
  }

  draw() {
    if (!this.status) return;
    const now = Date.now() / 1000;
    const focused = document.activeElement?.dataset.focus;
    this.tiles.replaceChildren(...tiles(this.status, now));
    this.sites.replaceChildren(...this.status.sites.map((site) => siteCard(site, now)));
    if (focused) this.sites.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
}

function tiles(status, now) {
  const { running, heartbeat_age_seconds: beat } = status.harvester;
  const harvester = beat === null ? "dash.harvester.never" : running ? "dash.harvester.there" : "dash.harvester.away";
  return [
    tile("dash.state", badge(status.ready, status.ready ? "dash.ready" : "dash.unready"), [`${status.version}, ${t("dash.up", { time: duration(now - status.started_at) })}`]),
    tile("dash.harvester", badge(running, harvester), [beat === null ? null : t("dash.ago", { time: duration(beat) }), running ? null : t("dash.harvester.start")]),
    tile("dash.streams", String(status.open_streams)),
    tile("dash.queued", String(status.queued)),
  ];
}

function tile(key, value, more = []) {
  return el("div.card.tile", {}, el("h2", { t: key }), el("div.value", {}, value), el("p.hint", {}, coded(more.filter(Boolean).join(" · "))));
}
