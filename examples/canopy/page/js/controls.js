// The training's buttons. They keep their place and their focus; what cannot be done now is marked so, not taken away.
import { at, setText } from './dom.js';
import { announce } from './log.js';
import { command } from './session.js';

const toggles = { running: 'pause', paused: 'resume' };
const labels = { start: 'Start', pause: 'Pause', resume: 'Resume' };

export class Controls {
  constructor() {
    this.linked = false;
    this.state = 'connecting';
    this.busy = false;
    for (const id of ['toggle', 'stop', 'reset']) {
      at(id).addEventListener('click', () => {
        if (at(id).getAttribute('aria-disabled') !== 'true') this.send(id === 'toggle' ? this.toggle() : id);
      });
    }
  }

  setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.show();
  }

  setLinked(linked) {
    this.linked = linked;
    this.show();
  }

  toggle() {
    return toggles[this.state] ?? 'start';
  }

  show() {
    const active = this.state in toggles;
    setText(at('toggle'), labels[this.toggle()]);
    at('toggle').dataset.command = this.toggle();
    const can = { toggle: true, stop: active, reset: true };
    for (const [id, possible] of Object.entries(can)) {
      at(id).setAttribute('aria-disabled', String(!possible || !this.linked || this.state === 'connecting'));
      at(id).setAttribute('aria-busy', String(this.busy));
    }
  }

  async send(name) {
    if (this.busy) return;
    this.busy = true;
    this.show();
    try {
      await command(name);
    } catch (error) {
      announce(`Could not ${name} the training: ${error.message}`, 'bad');
    } finally {
      this.busy = false;
      this.show();
    }
  }
}
