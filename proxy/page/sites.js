// A site or server as the dashboard shows it: whether it works, and of a site its credentials and its last visits.
import { ApiError, request } from "./api.js";
import { announce, badge, dialog, el, terms } from "./dom.js";
import { coded, duration, moment, reason as meaning, t } from "./i18n.js";
import { errorParts } from "./error-notice.js";

const NONCE_SECONDS = 12 * 3600; // WordPress: valid for 12 to 24 hours after it was made

/** One site or server of `/admin/status`; *now* in Unix seconds. */
export function siteCard(site, now) {
  if (site.kind === "openai_server") return el("article.card", {}, head(site), reason(site), terms(load(site, now)));
  const ask = el("button.small", { type: "button", t: "dash.visit", "data-focus": `visit ${site.site}` });
  ask.addEventListener("click", () => askForVisit(site.site, ask));
  return el("article.card", {}, head(site, ask), reason(site), facts(site, now), el("h4", { t: "dash.visits" }), visits(site.visits, now));
}

function head(site, ask = null) {
  return el("div.row", {}, el("h3", {}, site.site), badge(site.ready, site.ready ? "dash.ready" : "dash.unready"), el("span.grow"), ask);
}

/** Why it is not ready: what that means in the page's language, of a server also in the proxy's words. */
function reason(site) {
  if (!site.reason) return null;
  const code = site.breaker === "open" ? "site_unavailable" : site.code;
  if (site.kind !== "openai_server" || code === "site_unavailable") return el("p.note.error", { t: `dash.reason.${code}` });
  return el("div.note.error", {}, errorParts(new ApiError(0, { own: "dash.reason.server", message: site.reason })));
}

function facts(site, now) {
  const held = site.credentials;
  const left = held && NONCE_SECONDS - held.nonce_age_seconds;
  return terms([
    ["dash.age", held ? t("dash.ago", { time: duration(held.age_seconds) }) : t("dash.credentials.none")],
    ["dash.nonce", held && t("dash.ago", { time: duration(held.nonce_age_seconds) })],
    ["dash.left", held && (left > 0 ? duration(left) : t("dash.left.none"))],
    ...load(site, now),
  ]);
}

function load(site, now) {
  const isServer = site.kind === "openai_server";
  return [
    ["dash.kind", site.kind && t(`dash.kind.${site.kind}`)],
    ["dash.breaker", t(`dash.breaker.${site.breaker}`)],
    ["dash.streams", String(site.open_streams)],
    ["dash.queued", String(site.queued)],
    [isServer ? "dash.models" : "dash.bots", String(site.bots)],
    ["dash.cooldown", site.cooldown_until > now ? moment(site.cooldown_until) : null],
  ];
}

function visits(found, now) {
  if (!found.length) return el("p.hint", { t: "dash.visits.none" });
  return el("ul.visits", {}, found.map((visit) => visitRow(visit, now)));
}

function visitRow(visit, now) {
  const ago = t("dash.ago", { time: duration(now - visit.started_at) });
  const took = visit.seconds === null ? "" : t("unit.s", { count: visit.seconds.toFixed(1) });
  const shot = visit.screenshot
    ? el("button.small", { type: "button", t: "dash.screenshot.show", "data-focus": `shot ${visit.id}`, onclick: () => showScreenshot(visit) })
    : null;
  const trigger = visit.trigger ? t(`dash.trigger.${visit.trigger}`) : "";
  const good = visit.outcome === "captured";
  return el(
    "li",
    {},
    badge(good, `dash.outcome.${visit.outcome}`),
    el("time", { title: moment(visit.started_at) }, ago),
    el("span.hint", {}, [trigger, took].filter(Boolean).join(" · ")),
    visitReason(visit, "span.reason"),
    shot,
  );
}

/** Why a visit failed, or what is odd about it: what that means, then the harvester's own words. */
function visitReason(visit, kind) {
  const means = meaning(`visit.${visit.cause}`);
  if (!means) return visit.reason ? el(kind, { dir: "auto" }, visit.reason) : null;
  return el(kind, {}, coded(means), el("span.said", { dir: "auto" }, visit.reason));
}

function showScreenshot(visit) {
  const picture = el("img", { src: `/admin/visits/${encodeURIComponent(visit.id)}/screenshot` });
  picture.alt = t("dash.screenshot.alt");
  dialog("dash.screenshot", el("div.shot", {}, visitReason(visit, "p"), picture), el("button", { type: "button", t: "close", value: "close" }));
}

async function askForVisit(site, button) {
  button.disabled = true;
  try {
    await request("POST", "/admin/visits", { site });
    announce(t("dash.asked"));
  } catch (error) {
    announce(error.message);
  } finally {
    button.disabled = false;
  }
}
