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

  /**
   * Takes the server's record in: what was shown is kept before it, as a record may begin late while Redis is away, and
   * after it, as epochs came in while it was on its way.
   */
  take(history) {
    const begin = history[0]?.epoch ?? Infinity;
    const shown = this.lines.loss.map(({ x: epoch }, i) => (
      { epoch, metrics: Object.fromEntries(fields.map((field) => [field, this.lines[field][i].y])) }));
    this.clear();
    const before = shown.filter(({ epoch }) => epoch < begin);
    for (const { epoch, metrics } of [...before, ...history, ...shown]) this.add(epoch, metrics);
  }
}
