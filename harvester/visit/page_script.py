"""JavaScript that is run in a visited page. It only reads, except for the guest's local storage.

All results are bounded, since a page may hold anything. A page may also shadow or replace properties of the document
and of elements (`<form name="title">`), and the names of their types (`function Node() {}`): so the native functions
are taken from the first of the prototypes.
"""


def message_field_selector(mark: str) -> str:
    """A CSS selector of a chat's message field: a text field in an element whose class or id names a chat, and that has
    or contains one that names the plugin, by its *mark*. Pages have other text fields, too."""
    parts = f'[class*="{mark}" i], [id*="{mark}" i]'
    chat = f':is([class*="chat" i], [id*="chat" i]):is({parts}, :has({parts})):not(html, body)'
    return f'{chat} :is(textarea, input[type="text"], [contenteditable="true"])'


# For the scripts below. `some` looks into open shadow roots, too.
_OWN = """
  const native = (name, of) => {
    let found;
    for (let type = Object.getPrototypeOf(of); type; type = Object.getPrototypeOf(type))
      found = Object.getOwnPropertyDescriptor(type, name) || found;
    return found;
  };
  const value = (name, of) => native(name, of).get.call(of);
  const all = (root, selector) => [...native("querySelectorAll", root).value.call(root, selector)];
  const attribute = (element, name) => native("getAttribute", element).value.call(element, name) || "";
  const text = (element) => (value("textContent", element) || "").trim();
  const roots = [document];
  for (let next = 0; next < roots.length && next < 100; next += 1)
    for (const element of all(roots[next], "*").slice(0, 20000)) {
      const root = value("shadowRoot", element);
      if (root) roots.push(root);
    }
  const some = (selector, count) => roots.flatMap((root) => all(root, selector)).slice(0, count);
"""

# Gives most of what `tab.Snapshot` holds, and the HTML of frames that the page wrote itself, where that is of interest.
# Local storage may be forbidden to the page: then it counts as empty.
SNAPSHOT = f"""
({{ fields, attributes, prefixes, blocked }}) => {{
  {_OWN}
  const stored = {{}};
  try {{
    const keys = Object.keys(localStorage).filter((key) => prefixes.some((prefix) => key.startsWith(prefix)));
    for (const key of keys.filter((key) => key.length < 200).slice(0, 1000)) {{
      stored[key] = native("getItem", localStorage).value.call(localStorage, key).slice(0, 1000);
    }}
  }} catch {{}}
  const sources = ["src", "data-src", "data-lazy-src", "data-litespeed-src", "data-rocket-src"];
  const source = (element) => sources.map((name) => attribute(element, name))
    .find((address) => address && !address.startsWith("about:") && !address.startsWith("data:")) || "";
  const configs = some(attributes.map((name) => `[${{name}}]`).join(", "), 200).map((element) =>
    [...attributes, "class"].map((name) => [name, attribute(element, name).slice(0, 300000)])
      .filter(([, value]) => value));
  return {{
    ready: value("readyState", document) !== "loading",
    title: value("title", document).slice(0, 300),
    configs,
    links: some("a[href]", 500).map((link) => [attribute(link, "href").slice(0, 2000), text(link).slice(0, 200)]),
    resources: some("script[src], iframe[src]", 200).map((element) => attribute(element, "src").slice(0, 500)),
    written: some("iframe[srcdoc]", 50).map((frame) => attribute(frame, "srcdoc").slice(0, 500000))
      .filter((html) => attributes.some((name) => html.includes(name))).slice(0, 5),
    frames: some("iframe, frame", 50).map((frame) => source(frame).slice(0, 2000)).filter(Boolean),
    refreshes: some('meta[http-equiv="refresh" i]', 5).map((meta) => attribute(meta, "content").slice(0, 2000)),
    scripts: value("scripts", document).length,
    stored,
    is_blocked: some(blocked, 1).length > 0,
    fields: fields.filter(([, selector]) => some(selector, 1).length).map(([mark]) => mark),
  }};
}}
"""

# Gives what `harvester.visit.tab.PageDetails` holds. It is told selectors of older plugins' chats, each with a name.
SIGNS = f"""
(older) => {{
  {_OWN}
  const isSeen = (element) => native("getClientRects", element).value.call(element).length > 0;
  const body = some("body", 1)[0];
  const clickable = 'button, [role="button"], summary, a[href^="#"], a[href^="javascript:"], [onclick]';
  return {{
    text: body ? value("innerText", body).slice(0, 5000) : "",
    buttons: some(clickable, 200).filter(isSeen)
      .map((element) => text(element) || attribute(element, "aria-label") || attribute(element, "title"))
      .map((said) => said.slice(0, 80)),
    asks_password: some('input[type="password"]', 20).some(isSeen),
    older: older.filter(([selector]) => some(selector, 1).length).map(([, name]) => name)[0] || "",
  }};
}}
"""

# Goes down so many screens; gives whether there is more below.
SCROLL = f"""
(screens) => {{
  {_OWN}
  const page = value("scrollingElement", document);
  if (!page) return false;
  const height = value("clientHeight", page), whole = value("scrollHeight", page);
  window.scrollTo({{ top: screens * height, behavior: "instant" }});
  return (screens + 1) * height < whole;
}}
"""
TO_TOP = "() => window.scrollTo({ top: 0, behavior: 'instant' })"

# Keeps what belongs to the guest in use, unless the page has its own already. Where the page may store nothing, or has
# filled its storage, nothing is lost: it is known outside, too.
KEEP = """
(items) => {
  if (window !== window.top) return;
  try {
    for (const [key, value] of items) if (!localStorage.getItem(key)) localStorage.setItem(key, value);
  } catch {}
}
"""
