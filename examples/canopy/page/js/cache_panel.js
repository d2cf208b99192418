// The cache itself: its backend's health, memory against its limit, what each kind of key is read like, and Redis.
import { at, create, setState, setText } from './dom.js';
import * as format from './format.js';

const shown = ['metrics', 'history', 'topology', 'control', 'session', 'other'];

/** Rows are made once; later only their texts change. */
function rowOf(name) {
  const id = `prefix-${name}`;
  if (!at(id)) {
    const cells = [0, 1, 2].map(() => create('td'));
    at('prefixes').append(create('tr', { id }, create('th', { scope: 'row' }, name), ...cells));
  }
  return at(id).children;
}

function showPrefixes(prefixes) {
  for (const name of shown) {
    const prefix = prefixes[name];
    if (!prefix) continue;
    const reads = prefix.hits + prefix.misses;
    const [, rate, total, middle] = rowOf(name);
    setText(rate, reads > 0 ? format.percent(prefix.hit_rate) : '–');
    setText(total, format.brief(reads));
    setText(middle, reads > 0 ? format.micros(prefix.get.p50_us) : '–');
  }
}

function showNumbers(numbers) {
  const list = at('cache-numbers');
  for (const [name, text] of numbers) {
    const id = `number-${name.replaceAll(' ', '-')}`;
    if (!at(id)) list.append(create('div', {}, create('dt', {}, name), create('dd', { id })));
    setText(at(id), text);
  }
}

function numbersOf(statistics, redis) {
  const { backend, write_behind: behind } = statistics;
  const up = backend.status === 'UP' && backend.details.backend === 'redis';
  const metrics = up ? redis?.metrics : null;
  const none = '–';
  return [
    ['ping', up ? format.millis(backend.latency_ms) : none],
    ['write p50', format.micros(statistics.set.p50_us)],
    ['Redis memory', metrics ? format.bytes(metrics.memory.used_memory_bytes) : none],
    ['writes', format.brief(statistics.sets)],
    ['Redis ops / s', metrics ? format.brief(metrics.stats.instantaneous_ops_per_sec) : none],
    ['waiting writes', format.brief((backend.details.pending_writes ?? 0) + behind.pending)],
    ['Redis clients', metrics ? format.brief(metrics.clients.connected_clients) : none],
    ['stale reads', format.brief(statistics.stale)],
    ['reconnects', format.brief(statistics.redis?.reconnects)],
    ['errors', format.brief(statistics.errors)],
    ['viewers', format.brief(statistics.viewers)],
    ['uptime', format.duration(statistics.uptime_seconds)],
  ];
}

/** The backend's health, also as the stream tells it: {status, mode, message, details?}. */
export function showHealth({ mode, message, details }) {
  setState(at('cache-mode'), mode);
  setText(at('cache-mode'), mode);
  setText(at('cache-message'), message);
  if (details) setText(at('cache-where'), whereOf(details));
  at('cache-where').hidden = mode === 'FALLBACK'; // the message names it, and needs the room
}

function whereOf({ backend, host, port, version }) {
  if (backend !== 'redis' || !host) return 'In this process';
  return `${port ? `${host}:${port}` : host}${version ? ` · Redis ${version}` : ''}`;
}

/** redis: what /api/v1/redis/metrics said, or null */
export function showStatistics(statistics, redis) {
  const { memory, backend } = statistics;
  showHealth(backend);
  setText(at('memory-title'), memory.tier === 'memory' ? 'Memory' : 'Near cache');
  setText(at('memory-text'), `${format.bytes(memory.used_bytes)} of ${format.bytes(memory.limit_bytes)}`);
  at('memory').value = memory.limit_bytes > 0 ? Math.min(1, memory.used_bytes / memory.limit_bytes) : 0;
  showPrefixes(statistics.prefixes);
  showNumbers(numbersOf(statistics, redis));
}

export function showServerAway() {
  setState(at('cache-mode'), 'OFFLINE');
  setText(at('cache-mode'), 'OFFLINE');
  setText(at('cache-message'), 'The server does not answer: last numbers');
}
