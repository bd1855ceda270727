/* The server's interface, and its failures in one clear line each. */
import { sentence } from "./dom.js";

const ROOT = new URL("../", import.meta.url); // this file is page/server.js
const KEY = "cladewise-key";
const PATIENCE = 90_000; // milliseconds until an answer is no longer waited for

export class Trouble extends Error {
  /** @param kind "down", "busy" (both pass), "key", "slow" or "refused" */
  constructor(kind, message, { status = 0, after = 0 } = {}) {
    super(message);
    Object.assign(this, { kind, status, after });
  }
  /** Whether the same request would be refused again. */
  get isFinal() { return this.kind === "refused" && this.status >= 400 && this.status < 500 && this.status !== 408; }
  get passes() { return this.kind === "down" || this.kind === "busy"; }
}

let memory = null; // where sessionStorage is forbidden
export function key() {
  try { return sessionStorage.getItem(KEY) ?? memory; } catch { return memory; }
}
export function setKey(value) {
  memory = value;
  try { sessionStorage.setItem(KEY, value); } catch { /* kept in memory alone */ }
}

async function told(response) {
  try {
    const { error, detail } = await response.json();
    if (error?.expected === "images that can be decoded") return sentence(error.got); // of one picture, the reason says it all
    if (error?.message) return error.message;
    if (error?.expected) return `Expected ${error.expected}, got ${error.got}.${error.advice ? ` ${error.advice}` : ""}`;
    if (typeof detail === "string") return detail;
  } catch { /* no JSON */ }
  return "";
}

export async function ask(path, { body, query, method } = {}) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value) url.searchParams.append(name, value);
  }
  const headers = { Accept: "application/json" };
  if (key()) headers.Authorization = `Bearer ${key()}`;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE);
  try {
    const response = await fetch(url, { method: method ?? (body ? "POST" : "GET"), headers, body, signal: stop.signal });
    if (response.ok) return await response.json();
    const text = await told(response), status = response.status;
    const after = Number(response.headers.get("Retry-After")) || 0;
    if (status === 401 || status === 403) throw new Trouble("key", text || "The server asks for a key.", { status });
    if (status === 503 || status === 502 || status === 504 || status === 429) throw new Trouble("busy", text || "The server is busy.", { status, after });
    if (status === 413) throw new Trouble("refused", text || "The server refuses a picture of this size.", { status });
    if (status >= 500) throw new Trouble("refused", text || `The server failed on this (error ${status}).`, { status });
    throw new Trouble("refused", text || `The server refused this (error ${status}).`, { status });
  } catch (error) {
    if (error instanceof Trouble) throw error;
    if (stop.signal.aborted) throw new Trouble("slow", `The server gave no answer within ${PATIENCE / 1000} seconds.`);
    throw new Trouble("down", "The server does not answer.");
  } finally {
    clearTimeout(timer);
  }
}

const of = model => `v1/models/${encodeURIComponent(model)}`;
export const models = () => ask("v1/models");
export const tree = (model, names) => ask(`${of(model)}/tree`, { query: { names: names ?? "" } });
export const slider = model => ask(`${of(model)}/slider`);

export function predict(model, file, name, { allowed, top, decision }) {
  const body = new FormData();
  body.append("images", file, name);
  body.append("ladder", "true");
  body.append("top", top);
  if (decision) body.append("decision", decision);
  for (const label of allowed) body.append("allowed", label);
  return ask(`${of(model)}/predict`, { body });
}
export function keep(model, file, name, { node, path, predicted }) {
  const body = new FormData();
  body.append("image", file, name);
  body.append("node", node);
  body.append("label_path", path); // the server's tree may have been replaced meanwhile
  if (predicted !== null) body.append("predicted", predicted);
  return ask(`${of(model)}/corrections`, { body });
}
