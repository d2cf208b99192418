// What has happened, newest first; what a viewer must not miss is announced to screen readers as well.
import { at, create, setText } from './dom.js';

const most = 80;
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** kind: 'plain', 'good', 'warn', 'bad'; before: it was before this page came, nobody knows when */
export function note(text, kind = 'plain', before = false) {
  const list = at('log');
  const now = new Date();
  const time = before ? create('time', {}, 'earlier') : create('time', { datetime: now.toISOString() }, clock.format(now));
  list.prepend(create('li', { 'data-kind': kind }, time, create('span', {}, text)));
  while (list.children.length > most) list.lastChild.remove();
}

export function announce(text, kind = 'plain') {
  note(text, kind);
  setText(at('announce'), text);
}
