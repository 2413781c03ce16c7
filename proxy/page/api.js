// Talking to the proxy. Errors come as `ApiError`, with what the proxy said.
import { reason, t } from "./i18n.js";
import { events } from "./events.js";

/**
 * What the proxy, or the way to it, refused. `status` is 0 where nothing answered, `said` the proxy's own words, and
 * `message` what it means, in the language that the page is in now.
 */
export class ApiError extends Error {
  constructor(status, { message, code, type, own } = {}, retryAfter = null) {
    super();
    const name = type === "tokens" ? type : code || type || ""; // the day's limit; its code is that of any limit
    Object.assign(this, { status, code: name, said: message ?? "", own, retryAfter });
  }

  /** An error as `kept` gave it; before there was that, it was a text. */
  static again(kept) {
    return typeof kept === "string" ? new ApiError(0, { message: kept }) : new ApiError(kept.status, kept);
  }

  get kept() {
    return { status: this.status, message: this.said, code: this.code, own: this.own };
  }

  get message() {
    if (this.own) return t(this.own); // a text of the page itself
    return reason(this.code) || (this.said ? t("error.other") : t("error.status", { status: this.status }));
  }

  /** Status and code, for people who look them up. */
  get label() {
    return [this.status || null, this.code || null].filter(Boolean).join(" · ");
  }
}

async function send(method, path, body, signal) {
  const headers = method === "GET" ? {} : { "x-freeaichat-csrf": "1" };
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { own: "error.network" });
  }
  if (response.ok) return response;
  if (response.status === 401 && path !== "/admin/session") document.dispatchEvent(new Event("signedout"));
  const answer = await response.json().catch(() => ({}));
  throw new ApiError(response.status, answer.error, response.headers.get("retry-after"));
}

/** The JSON answer to a request; null where there is none (204). */
export async function request(method, path, body) {
  const response = await send(method, path, body);
  if (response.status === 204) return null;
  return response.json().catch(() => {
    throw new ApiError(0, { own: "error.cut" });
  });
}

/**
 * Stream the answer to a chat request: calls `onText` with each piece of it, and `onThought` with each of what the model
 * thinks; resolves to what came besides.
 * Raises `ApiError` where it is refused or breaks off, and `AbortError` when *signal* stops it.
 */
export async function streamChat(body, { onText, onThought, signal }) {
  const response = await send("POST", "/v1/chat/completions", { ...body, stream: true }, signal);
  const found = { annotations: [], refusal: null };
  let done = false;
  try {
    for await (const data of events(response.body)) {
      if (data === "[DONE]") done = true;
      else takeChunk(JSON.parse(data), found, { onText, onThought });
    }
  } catch (error) {
    if (error instanceof ApiError || error.name === "AbortError") throw error;
    throw new ApiError(0, { own: "error.cut" });
  }
  if (!done) throw new ApiError(0, { own: "error.cut" });
  return found;
}

function takeChunk(chunk, found, { onText, onThought }) {
  if (chunk.error) throw new ApiError(0, chunk.error);
  const choice = chunk.choices?.[0];
  if (!choice) return;
  const thought = choice.delta.reasoning_content ?? choice.delta.reasoning; // by the server's own name; some send both
  if (thought) onThought(thought);
  if (choice.delta.content) onText(choice.delta.content);
  if (choice.delta.annotations) found.annotations = choice.delta.annotations;
  if (choice.delta.refusal) found.refusal = choice.delta.refusal;
}
