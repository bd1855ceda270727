/* Elements, numbers and words. */
export const byId = id => document.getElementById(id);

/** An element with attributes, listeners (`onclick`), a text, and children; nothing is parsed as markup. */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
export function draw(tag, attributes = {}) {
  const made = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export const number = value => value.toLocaleString("en");
export const count = (value, noun) => `${number(value)} ${value === 1 ? noun : noun.endsWith("s") ? `${noun}es` : `${noun}s`}`;

/** A probability as people say it: never 0% or 100% for what is neither. */
export function percent(p) {
  if (p === null || p === undefined || Number.isNaN(p)) return "";
  if (p >= 1) return "100%";
  if (p > 0.995) return ">99%";
  if (p < 0.005) return p > 0 ? "<1%" : "0%";
  return `${Math.round(100 * p)}%`;
}
/** A promised share: 0.9 is 90%, 0.995 is 99.5%. */
export const share = value => `${Number((100 * value).toFixed(2))}%`;

/** A message as a sentence, whatever it was part of. */
export const sentence = text => text.trim().replace(/^./u, first => first.toUpperCase()).replace(/[^.!?…]$/u, "$&.");

export function size(bytes) {
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
  return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
}

/** Calls a function at most once before the next paint, however often it is asked to. */
export function once(act) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; act(); });
  };
}

/** Shows a dialog, and gives the focus back to what had it when the dialog closes. */
export function open(dialog) {
  if (dialog.open) return;
  const before = document.activeElement;
  dialog.addEventListener("close", () => { if (before?.isConnected && document.activeElement === document.body) before.focus(); }, { once: true });
  dialog.showModal();
}
