// What this browser keeps. Without storage (it may be switched off or full) everything works until the page is left.
const PREFIX = "freeaichat.";
const fallback = new Map(); // of what could not be kept there; all else is as other tabs left it

/** What was kept as *name*, or *otherwise*. */
export function recall(name, otherwise) {
  try {
    const text = fallback.get(name) ?? localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** Keep *value*, anything JSON can tell, as *name*. */
export function keep(name, value) {
  const text = JSON.stringify(value);
  try {
    localStorage.setItem(PREFIX + name, text);
    fallback.delete(name);
  } catch {
    fallback.set(name, text); // kept for this visit only
  }
}

/** Forget what was kept as *name*. */
export function drop(name) {
  fallback.delete(name);
  keepText(name, null);
}

/** Call *listener* with the name of whatever another tab keeps or forgets. */
export function onChange(listener) {
  addEventListener("storage", ({ key }) => key?.startsWith(PREFIX) && listener(key.slice(PREFIX.length)));
}

/** Keep *value* as *name* for this tab alone, over its reloads. */
export function keepInTab(name, value) {
  try {
    sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // gone when the page is left
  }
}

/** What `keepInTab` kept as *name*; null where there is nothing. */
export function recallInTab(name) {
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + name));
  } catch {
    return null;
  }
}

/** Keep the plain word *value* as *name*, as `early.js` reads it; null forgets it. */
export function keepText(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // chosen for this visit only
  }
}
