// Where the run stands, of the server's metrics: one word, and what changed since the last time.

const words = {
  connecting: 'Connecting',
  idle: 'No run yet',
  running: 'Training',
  paused: 'Paused',
  completed: 'Completed',
  stopped: 'Stopped',
};

export const wordOf = (state) => words[state];

export function stateOf({ is_running: running, is_paused: paused, phase }) {
  if (running) return paused ? 'paused' : 'running';
  return phase === 'completed' || phase === 'idle' ? phase : 'stopped';
}

/** What is worth telling when a run goes from one state to another. */
export function changeText(from, to, epoch) {
  const where = `at epoch ${epoch}`;
  if (to === 'running') return from === 'paused' ? `Resumed ${where}` : null;
  if (to === 'paused') return `Paused ${where}`;
  if (to === 'completed') return `Every training point is learned, ${where}`;
  if (to === 'stopped' && from !== 'idle') return `Stopped ${where}`;
  return null;
}

/** Epochs a second, over the last seconds. */
export class Pace {
  constructor() {
    this.seen = [];
  }

  add(epoch, now) {
    if (this.seen.length > 0 && epoch < this.seen.at(-1).epoch) this.seen = [];
    this.seen.push({ epoch, now });
    while (now - this.seen[0].now > 3_000) this.seen.shift();
  }

  perSecond() {
    const [first, last] = [this.seen[0], this.seen.at(-1)];
    if (!first || last.now - first.now < 500) return null;
    return ((last.epoch - first.epoch) * 1_000) / (last.now - first.now);
  }
}
