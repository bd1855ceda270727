/* Pictures, what each model says of them, and the queue that asks. Nothing is lost when the server fails. */
import { Trouble, keep, predict } from "./server.js";
import { sentence, size } from "./dom.js";

const AT_ONCE = 3, SLOW = 6_000, THUMB = 176;
const DELAYS = [2, 4, 8, 15, 30]; // seconds until the next attempt, while the server is away

let last = 0;
export class Picture {
  constructor(file, name) {
    Object.assign(this, { id: ++last, file, name: name || file.name || `picture ${last}`, url: URL.createObjectURL(file), thumb: null, unreadable: false });
    this.slots = new Map(); // by what was asked: {state: "waiting" | "sending" | "done" | "failed", result, error, slow, seconds}
    this.kept = null;
  }
  /** A small picture for lists; decoding a large one for each would take long. */
  async thumbnail() {
    try {
      const bitmap = await createImageBitmap(this.file);
      const side = Math.min(bitmap.width, bitmap.height), canvas = document.createElement("canvas");
      canvas.width = canvas.height = THUMB;
      const context = canvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, THUMB, THUMB);
      this.width = bitmap.width;
      this.height = bitmap.height;
      bitmap.close();
      this.thumb = canvas.toDataURL("image/jpeg", 0.85);
    } catch {
      this.unreadable = true;
    }
  }
}

/** Asks for every answer that is missing, a few at once, and keeps corrections; stops while the server is away. */
export class Queue extends EventTarget {
  constructor(pictures, wanted) {
    super();
    Object.assign(this, { pictures, wanted, running: 0, attempts: 0, trouble: null, timer: 0, until: 0, corrections: [], limits: {} });
  }
  changed(picture = null) { this.dispatchEvent(new CustomEvent("change", { detail: picture })); }

  /** The slot of a picture for what is asked now, made if it is new. */
  slot(picture, question) {
    if (!picture.slots.has(question.key)) picture.slots.set(question.key, { state: "waiting", question });
    return picture.slots.get(question.key);
  }
  next() {
    const correction = this.corrections.find(one => one.state === "waiting");
    if (correction) return () => this.sendCorrection(correction);
    for (const picture of this.pictures) {
      for (const question of this.wanted()) {
        const slot = this.slot(picture, question);
        if (slot.state === "waiting") return () => this.send(picture, slot);
      }
    }
    return null;
  }
  pump() {
    if (this.trouble) return;
    while (this.running < AT_ONCE) {
      const job = this.next();
      if (!job) break;
      this.running++;
      job().finally(() => { this.running--; this.pump(); });
    }
    this.changed();
  }

  async send(picture, slot) {
    const { limits } = this;
    Object.assign(slot, { state: "sending", error: null, slow: false });
    if (picture.file.type && !picture.file.type.startsWith("image/")) {
      return this.fail(picture, slot, `This is no picture (${picture.file.type}).`, true);
    }
    if (limits.bytes && picture.file.size > limits.bytes) {
      return this.fail(picture, slot, `This file has ${size(picture.file.size)}; the server takes up to ${size(limits.bytes)}.`, true);
    }
    const slow = setTimeout(() => { slot.slow = true; this.changed(picture); }, SLOW), began = performance.now();
    try {
      const answer = await predict(slot.question.model, picture.file, picture.name, slot.question);
      const result = answer.results[0];
      if (!result) throw new Trouble("refused", "The server's answer has no result.");
      if (result.error) throw new Trouble("refused", sentence(typeof result.error === "string" ? result.error : result.error.message), { status: 422 });
      if (!this.fits(slot.question.model, result)) return;
      Object.assign(slot, { state: "done", result, seconds: (performance.now() - began) / 1000 });
      this.attempts = 0;
      this.dispatchEvent(new CustomEvent("answer", { detail: { picture, slot } }));
    } catch (error) {
      this.caught(error, () => { slot.state = "waiting"; }, () => this.fail(picture, slot, error.message, error.isFinal));
    } finally {
      clearTimeout(slow);
      slot.slow = false;
    }
    this.changed(picture);
  }
  fail(picture, slot, error, final = false) {
    Object.assign(slot, { state: "failed", error, final });
    this.changed(picture);
  }
  retry(picture) {
    for (const slot of picture.slots.values()) if (slot.state === "failed" && !slot.final) slot.state = "waiting";
    this.pump();
  }

  correct(correction) {
    const others = this.corrections.filter(one => one.picture !== correction.picture || one.state === "sending"); // the last one counts
    this.corrections = [{ ...correction, state: "waiting" }, ...others];
    this.pump();
  }
  async sendCorrection(correction) {
    correction.state = "sending";
    const { picture, model, tree, node, predicted } = correction;
    try {
      await keep(model, picture.file, picture.name, { node, path: tree.key(node), predicted });
      correction.state = "kept";
      picture.kept = correction;
      this.attempts = 0;
      this.dispatchEvent(new CustomEvent("kept", { detail: correction }));
    } catch (error) {
      this.caught(error, () => { correction.state = "waiting"; }, () => Object.assign(correction, { state: "failed", error: error.message }));
    }
    this.changed(picture);
  }

  caught(error, wait, fail) {
    if (!(error instanceof Trouble)) throw error;
    if (error.passes) { wait(); this.pause(error); }
    else if (error.kind === "key") { wait(); this.pause(error, false); }
    else fail();
  }
  /** Stops asking; what passes by itself is tried again after a while, each time a longer one. */
  pause(error, again = true) {
    if (this.trouble) return;
    this.trouble = error;
    if (again) {
      const seconds = Math.max(error.after, DELAYS[Math.min(this.attempts++, DELAYS.length - 1)]);
      this.until = performance.now() + 1000 * seconds;
      this.timer = setTimeout(() => this.resume(), 1000 * seconds);
    } else this.until = 0;
    this.dispatchEvent(new CustomEvent("trouble", { detail: error }));
    this.changed();
  }
  resume() {
    clearTimeout(this.timer);
    this.trouble = null;
    this.dispatchEvent(new CustomEvent("trouble", { detail: null }));
    this.pump();
  }
  /** Pictures that were not answered, and corrections that were not kept. */
  get left() {
    const questions = this.wanted();
    return {
      pictures: this.pictures.filter(picture => questions.some(question => ["waiting", "sending"].includes(this.slot(picture, question).state))).length,
      corrections: this.corrections.filter(one => one.state === "waiting" || one.state === "sending").length,
    };
  }
}
