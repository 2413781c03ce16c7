/* The simulated plugin's page script: guest id, chat boxes, and the two-step protocol. */
(() => {
  "use strict";
  const settings = window.simulatedSite || {};

  const uuid = () =>
    "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) =>
      (digit ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (digit / 4)))).toString(16));

  const kept = (storage, key) => {
    let value = storage.getItem(key);
    if (!value) {
      value = uuid();
      storage.setItem(key, value);
    }
    return value;
  };

  let ownGuestId = null;
  const guestId = () => {
    if (settings.makesGuestId) return kept(localStorage, "aipkit_guest_uuid");
    return (ownGuestId = ownGuestId || uuid());
  };
  if (settings.makesGuestId) guestId();

  const post = async (config, fields) => {
    const form = new FormData();
    Object.entries(fields).forEach(([name, value]) => form.append(name, value));
    return fetch(config.ajaxUrl, { method: "POST", body: form, credentials: "same-origin" });
  };

  const cacheMessage = (config, text) =>
    post(config, {
      action: "aipkit_cache_sse_message",
      message: text,
      _ajax_nonce: config.nonce,
      bot_id: config.botId,
      user_client_message_id:
        `aipkit-client-msg-${config.botId}-${Date.now()}-${Math.random().toString(36).slice(2, 7)}`,
    });

  const storeMessage = async (config, text) => {
    let answer = await cacheMessage(config, text);
    if (answer.status === 403) {
      const renewed = await post(config, { action: "aipkit_get_frontend_chat_nonce", bot_id: config.botId });
      config.nonce = (await renewed.json()).data.nonce;
      answer = await cacheMessage(config, text);
    }
    if (!answer.ok) throw new Error("Failed to prepare message for streaming");
    return (await answer.json()).data.cache_key;
  };

  const streamUrl = (config, key) => {
    const query = new URLSearchParams({
      action: "aipkit_frontend_chat_stream",
      cache_key: key,
      bot_id: config.botId,
      session_id: guestId(),
      conversation_uuid: kept(sessionStorage, "aipkit_current_conversation_uuid"),
    });
    if (config.postId > 0) query.set("post_id", config.postId);
    query.set("_ts", Date.now());
    const add = (isOn, name, key) => {
      const value = sessionStorage.getItem(key);
      if (isOn && value) query.set(name, value);
    };
    add(config.enableOpenAIConversationState, "previous_openai_response_id", "aipkit_current_openai_response_id");
    add(config.enableGoogleConversationState, "previous_google_interaction_id",
      "aipkit_current_google_interaction_id");
    if (config.allowWebSearchTool && config.webToggleDefaultOn) query.set("frontend_web_search_active", "true");
    query.set("_ajax_nonce", config.nonce);
    return `${config.ajaxUrl}?${query}`;
  };

  const show = (box, kind) => {
    const line = document.createElement("div");
    line.className = `aipkit_chat_message aipkit_chat_message-${kind}`;
    box.querySelector(".aipkit_chat_messages").append(line);
    return line;
  };

  const listen = (config, key, line) => {
    const source = new EventSource(streamUrl(config, key));
    const keep = (name) => (event) => sessionStorage.setItem(name, JSON.parse(event.data).id);
    source.onmessage = (event) => line.append(JSON.parse(event.data).delta);
    if (config.enableOpenAIConversationState)
      source.addEventListener("openai_response_id", keep("aipkit_current_openai_response_id"));
    if (config.enableGoogleConversationState)
      source.addEventListener("google_interaction_id", keep("aipkit_current_google_interaction_id"));
    source.addEventListener("error", (event) => {
      if (event.data) line.append(`Error: ${JSON.parse(event.data).error}`);
      source.close();
    });
    source.addEventListener("done", () => {
      line.dataset.finished = "true";
      source.close();
    });
  };

  const attach = (box, config) => {
    const input = box.querySelector("textarea");
    const send = async () => {
      const text = input.value;
      if (!text.trim()) return;
      input.value = "";
      show(box, "user").append(text);
      const line = show(box, "bot");
      try {
        listen(config, await storeMessage(config, text), line);
      } catch (error) {
        line.append(`Error: ${error.message}`);
      }
    };
    box.querySelector("button.aipkit_chat_action_btn").addEventListener("click", send);
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      send();
    });
  };

  const start = () => {
    document.querySelectorAll("[data-config]:not(.aipkit-initialized)").forEach((element) => {
      element.classList.add("aipkit-initialized");
      attach(element, JSON.parse(element.getAttribute("data-config")));
      const trigger = element.querySelector(".aipkit_popup_trigger");
      const content = element.querySelector(".aipkit_popup_content");
      if (trigger) trigger.addEventListener("click", () => { content.hidden = !content.hidden; });
    });
    const form = document.querySelector("form.plain_chat");
    if (form && settings.plainChat) attach(form, settings.plainChat);
  };

  const startLate = async () => {
    const answer = await fetch(settings.lateUrl);
    document.getElementById("late").innerHTML = await answer.text();
    start();
  };

  window.startChats = start;
  document.addEventListener("DOMContentLoaded", () => {
    start();
    if (settings.lateUrl) setTimeout(startLate, settings.lateMs);
  });
})();
