// The place where messages are shown. It stays at its end as long as whoever reads is there; a welcome is read from its top.
import { el } from "./dom.js";

const NEAR_END = 80; // pixels from the end: whoever reads there wants to see what comes

/** The place; calls `onTouch()` when it is touched. */
export class Log {
  constructor(onTouch) {
    this.element = el("div.log", { role: "log", "aria-live": "polite", label: "chat.log", tabindex: "0" });
    this.element.addEventListener("drawn", () => {
      if (this.sticks && this.element.scrollTop > this.end - NEAR_END) this.toEnd(); // else one scrolled up just now
    });
    this.element.addEventListener("pointerdown", onTouch);
    this.element.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.element;
      this.sticks = scrollHeight - scrollTop - clientHeight < NEAR_END;
      if (this.sticks) this.end = scrollTop;
    });
  }

  show(...nodes) {
    this.element.replaceChildren(...nodes);
    this.toEnd();
  }

  toEnd() {
    this.sticks = true;
    this.element.scrollTop = this.element.querySelector(":scope > .welcome") ? 0 : this.element.scrollHeight;
    this.end = this.element.scrollTop;
  }
}
