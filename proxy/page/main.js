// The frame around the screens: navigation, language, colours, and who is signed in.
import { dropQuestion, forgetAll } from "./conversations.js";
import { announce, el, iconButton, toast } from "./dom.js";
import { switchLanguage, t, translate } from "./i18n.js";
import { Playground } from "./playground.js";
import { mayEnter, session, signIn, signOut } from "./session.js";
import { keep, keepText, onChange, recall } from "./storage.js";
import { ErrorNotice } from "./error-notice.js";
import { Dashboard } from "./dashboard.js";
import { Keys } from "./keys.js";

const RETRY_DELAY = 3_000; // milliseconds

let who = { admin: false, key_name: null, needs_key: false };
const main = el("main", { id: "main" });
const nav = el("nav", { label: "nav" });
const signOutButton = iconButton("out", "nav.out", leave);
const errorNotice = new ErrorNotice();
const needsKey = () => who.needs_key;
const screens = {
  chat: new Playground({ needsKey }),
  dashboard: new Dashboard(),
  keys: new Keys({ needsKey }),
};
let shown = null;

document.body.replaceChildren(
  el("a.unseen.skip", { href: "#main", t: "nav.skip", onclick: skip }),
  el(
    "header.top",
    {},
    el("a.brand", { href: "#/chat", "aria-label": "freeaichat" }, el("img", { src: "/assets/icon.svg", alt: "", width: 28, height: 28 }), el("span", {}, "freeaichat")),
    nav,
    el("span.grow"),
    el("button.language", { type: "button", t: "language", onclick: switchLanguage }),
    iconButton("theme", "theme", switchTheme),
    signOutButton,
  ),
  main,
  toast(),
);

function skip(event) {
  event.preventDefault(); // the address after # names a screen
  main.tabIndex = -1;
  main.focus();
}

function switchTheme() {
  const { dataset } = document.documentElement;
  const isDark = dataset.theme ? dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  dataset.theme = isDark ? "light" : "dark";
  keepText("theme", dataset.theme);
  document.dispatchEvent(new Event("theme"));
}

async function leave() {
  try {
    await signOut();
  } catch (error) {
    return announce(error.message);
  }
  forgetAll();
  return reload();
}

async function enter() {
  try {
    who = await session();
  } catch (error) {
    shown?.hide?.();
    shown = null;
    errorNotice.show(error);
    if (!error.status || error.status >= 500) setTimeout(enter, RETRY_DELAY); // it comes back by itself
    return main.replaceChildren(errorNotice.element);
  }
  if (isAnother(who.key_name)) {
    forgetAll();
    return reload();
  }
  route();
}

/** Load the page again, so that the screens forget what they showed. */
function reload() {
  history.replaceState(null, "", "#/chat");
  location.reload();
}

/** Whether the key of this name is not the one that was used before here: that one's session may have ended by itself. */
function isAnother(name) {
  const before = recall("holder", name);
  if (name) keep("holder", name);
  return Boolean(name) && before !== name;
}

function route() {
  shown?.hide?.();
  shown = null;
  signOutButton.hidden = !who.needs_key || !who.key_name;
  if (!mayEnter(who)) {
    nav.replaceChildren();
    main.replaceChildren(signIn(enter));
    main.querySelector("input").focus();
    return;
  }
  const [, requested = "chat", id] = location.hash.split("/");
  const name = Object.hasOwn(screens, requested) && (who.admin || requested === "chat") ? requested : "chat";
  drawNav(name);
  shown = screens[name];
  main.replaceChildren(shown.element);
  main.scrollTop = 0; // else it is where the screen before was read
  shown.open(name === "chat" ? id : undefined);
  setTitle(name);
}

function setTitle(name) {
  document.title = `${t(`nav.${name}`)} – freeaichat`;
}

function drawNav(name) {
  const names = who.admin ? Object.keys(screens) : ["chat"];
  if (nav.children.length !== names.length) nav.replaceChildren(...names.map((each) => el("a", { href: `#/${each}`, t: `nav.${each}` })));
  for (const [place, link] of [...nav.children].entries()) {
    if (names[place] === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

addEventListener("hashchange", route);
document.addEventListener("language", () => {
  for (const { element } of Object.values(screens)) translate(element); // those that are not shown are not in the page
  const name = Object.keys(screens).find((each) => screens[each] === shown);
  if (name) setTitle(name);
});
document.addEventListener("signedout", enter);
onChange((name) => {
  if (name === "holder") {
    dropQuestion(); // what was asked in this tab is not for who signed in now
    reload();
  }
  if (name === "conversations") screens.chat.drawList();
});
enter();
