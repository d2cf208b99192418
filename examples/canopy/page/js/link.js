// Whether the server is there, as the bar tells it.
import { at, setState, setText } from './dom.js';
import { announce } from './log.js';

const texts = { open: 'Connected', lost: 'Server away, reconnecting' };

/** changed(isOpen) on each change. */
export class Link {
  constructor(changed) {
    this.state = 'connecting';
    this.changed = changed;
  }

  set(state) {
    if (state === this.state) return;
    const before = this.state;
    this.state = state;
    setState(at('link'), state);
    setText(at('link').lastElementChild, texts[state]);
    if (state === 'lost') announce('The server does not answer', 'bad');
    if (state === 'open' && before === 'lost') announce('The server is back', 'good');
    this.changed(state === 'open');
  }
}
