// The curves' points, in epoch order: what the server had, then what it tells live. Bounded: past `most` points it is
// time to ask the server for fewer, which keep the shape; while it cannot answer, every second one is dropped.

export const most = 1_500;
export const asked = 600;

const fields = ['loss', 'accuracy', 'val_loss', 'val_accuracy'];

export class CurveData {
  constructor() {
    this.clear();
  }

  clear() {
    this.lines = Object.fromEntries(fields.map((field) => [field, []]));
    this.lastEpoch = 0;
  }

  get length() {
    return this.lines.loss.length;
  }

  /** False where the epoch has been shown already. */
  add(epoch, metrics) {
    if (!(epoch > this.lastEpoch)) return false;
    for (const field of fields) this.lines[field].push({ x: epoch, y: metrics[field] ?? null });
    this.lastEpoch = epoch;
    if (this.length > 2 * most) this.thin();
    return true;
  }

  thin() {
    for (const field of fields) this.lines[field] = this.lines[field].filter((_, i) => i % 2 === 0);
    this.lastEpoch = this.lines.loss.at(-1).x;
  }

  /** The server's record, and after it what came in while it was on its way. */
  replace(history) {
    const newer = this.lines;
    this.clear();
    for (const { epoch, metrics } of history) this.add(epoch, metrics);
    for (let i = 0; i < newer.loss.length; i += 1) {
      this.add(newer.loss[i].x, Object.fromEntries(fields.map((field) => [field, newer[field][i].y])));
    }
  }
}
