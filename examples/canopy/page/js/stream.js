// The server's events. The browser reconnects by itself, except after an answer that is not a stream: then we do.

const kinds = ['metrics', 'history', 'topology', 'status', 'command'];
const waits = [1_000, 2_000, 5_000]; // ms

/** hear(kind, data) for each event; link('open' | 'lost') when the connection comes and goes. */
export function openStream(hear, link) {
  let failures = 0;

  function connect() {
    const source = new EventSource('/api/stream');
    source.addEventListener('open', () => {
      failures = 0;
      link('open');
    });
    source.addEventListener('error', () => {
      link('lost');
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(connect, waits[Math.min(failures, waits.length - 1)]);
      failures += 1;
    });
    for (const kind of kinds) {
      source.addEventListener(kind, (event) => hear(kind, JSON.parse(event.data)));
    }
  }

  connect();
}
