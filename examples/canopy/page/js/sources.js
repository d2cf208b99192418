// Where each panel's data comes from: LIVE from the stream, or HIT, MISS, STALE of the cache with its tier; FALLBACK
// while Redis is away, OFFLINE while the server is.
import { at, create, setState, setText } from './dom.js';

const meanings = {
  LIVE: 'The server pushes each change',
  HIT: 'The cache had it',
  MISS: 'The cache did not have it: computed, or nothing is there yet',
  STALE: 'Older than it should be: a newer one is on its way, or cannot be had',
  FALLBACK: 'Redis is away: answered from memory',
  OFFLINE: 'The server does not answer: this is what it said last',
  ERROR: 'The cache could not tell',
  DISABLED: 'The cache is switched off',
};

const panels = ['loss', 'accuracy', 'network', 'boundary'];

export class Sources {
  constructor() {
    this.mode = null; // of the cache: LIVE, FALLBACK, DISABLED
    this.linked = true;
    this.entries = new Map();
    for (const name of panels) {
      const badge = create('span', { class: 'badge', 'data-state': 'none' }, '–');
      const detail = create('span', {});
      at(`${name}-source`).append(detail, badge);
      this.entries.set(name, { badge, detail, facts: null, live: false });
    }
  }

  /** facts as api.js tells them. */
  answered(names, facts) {
    for (const name of names) this.entries.get(name).facts = facts;
    this.show();
  }

  streams(names, live) {
    for (const name of names) this.entries.get(name).live = live;
    this.show();
  }

  setMode(mode) {
    this.mode = mode;
    this.show();
  }

  setLinked(linked) {
    this.linked = linked;
    this.show();
  }

  show() {
    for (const [name, { badge, detail, facts, live }] of this.entries) {
      const state = this.stateOf(facts, live);
      setState(badge, state);
      setText(badge, state === 'none' ? '–' : state);
      badge.title = meanings[state] ?? '';
      setText(detail, this.detailOf(state, facts));
      at(`${name}-panel`).classList.toggle('is-old', !this.linked);
    }
  }

  stateOf(facts, live) {
    if (!this.linked) return 'OFFLINE';
    if (this.mode === 'FALLBACK') return 'FALLBACK';
    return live ? 'LIVE' : facts?.status ?? 'none';
  }

  detailOf(state, facts) {
    if (state === 'OFFLINE') return '';
    if (state === 'LIVE') return 'stream';
    if (!facts) return '';
    const words = state === 'FALLBACK' ? [facts.status.toLowerCase()] : [];
    if (facts.tier !== 'none') words.push(facts.tier);
    if (facts.age > 0) words.push(`${facts.age} s old`);
    return words.join(', ');
  }
}
