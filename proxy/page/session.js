// Who is signed in, and signing in with a key.
import { ApiError, request } from "./api.js";
import { el } from "./dom.js";
import { ErrorNotice } from "./error-notice.js";

/** `{admin, key_name, needs_key}`. Raises `ApiError`. */
export function session() {
  return request("GET", "/admin/session");
}

/** Signed in or not needing to. */
export function mayEnter({ admin, key_name: name, needs_key: needsKey }) {
  return admin || Boolean(name) || !needsKey;
}

/** Forget the session here and there. */
export function signOut() {
  return request("DELETE", "/admin/session");
}

/** The screen that asks for a key; calls `onDone` once one was taken. */
export function signIn(onDone) {
  const field = el("input", { type: "password", id: "key", autocomplete: "current-password", required: true, "aria-describedby": "key-help" });
  const errorNotice = new ErrorNotice("signin.failed");
  const go = el("button.primary", { type: "submit", t: "signin.go" });
  const form = el(
    "form.card.signin",
    {},
    el("h1", { t: "signin.title" }),
    el("label", { for: "key", t: "signin.key" }),
    field,
    el("p.hint", { id: "key-help", t: "signin.help" }),
    errorNotice.element,
    go,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    errorNotice.hide();
    try {
      await request("POST", "/admin/session", { key: field.value.trim() });
      if (!mayEnter(await session())) throw new ApiError(0, { own: "signin.cookies" }); // the key was right
      await onDone();
    } catch (error) {
      errorNotice.show(error);
      field.select();
    } finally {
      go.disabled = false;
    }
  });
  return form;
}
