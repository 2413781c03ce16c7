"""The scripts that are run inside a visited page. They read; the only thing they write is the guest id.

Everything that comes back is bounded, since a page may hold anything.
"""

# Where a message to the chat is typed.
BOX = ", ".join(
    f'[{mark}*="chat" i] {field}'
    for mark in ("class", "id")
    for field in ("textarea", 'input[type="text"]', '[contenteditable="true"]')
)
POPUP_BUTTON = ".aipkit_popup_trigger"

# Gives what `harvester.browser.Look` holds. Local storage may be forbidden to the page: then it counts as empty.
LOOK = """
(boxes) => {
  const some = (selector, count) => [...document.querySelectorAll(selector)].slice(0, count);
  const stored = {};
  try {
    for (const key of Object.keys(localStorage).slice(0, 1000)) {
      if (key.startsWith("aipkit_")) stored[key] = localStorage.getItem(key).slice(0, 1000);
    }
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
  }
  return {
    ready: document.readyState !== "loading",
    title: document.title.slice(0, 300),
    configs: some("[data-config]", 200).map((element) => element.getAttribute("data-config").slice(0, 300000)),
    links: some("a[href]", 500).map((link) =>
      [link.getAttribute("href").slice(0, 2000), link.textContent.trim().slice(0, 200)]),
    resources: some("script[src], iframe[src]", 200).map((element) => element.getAttribute("src").slice(0, 500)),
    scripts: document.scripts.length,
    stored,
    box: document.querySelector(boxes) !== null && /aipkit/.test(document.documentElement.outerHTML),
  };
}
"""

# Keeps the guest id in use, unless the page has one already. Where the page may store nothing, nothing is lost: the id
# is known outside, too.
KEEP_GUEST_ID = """
([key, value]) => {
  if (window !== window.top) return;
  try {
    if (!localStorage.getItem(key)) localStorage.setItem(key, value);
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
  }
}
"""
