// Before all else: the colours and the language that were chosen last, and a language that programs understand.
(() => {
  const kept = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // storage is switched off
    }
  };
  const theme = kept("freeaichat.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const language = kept("freeaichat.language") || navigator.language;
  document.documentElement.lang = language.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
  try {
    new Intl.NumberFormat(navigator.language); // as uPlot does, which fails at the "C" or "en-US@posix" of some systems
  } catch {
    Object.defineProperty(navigator, "language", { value: "en-US" });
  }
})();
