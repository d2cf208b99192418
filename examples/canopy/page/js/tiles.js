// The large numbers.
import { at, create, setText } from './dom.js';
import * as format from './format.js';

/** "12.5 %" with the unit in small. */
function setValue(id, text) {
  const element = at(id);
  if (element.dataset.text === text) return;
  element.dataset.text = text;
  const [number, unit] = text.split(' ');
  element.replaceChildren(number, ...(unit ? [create('small', {}, unit)] : []));
}

const phases = { output_training: 'outputs', candidate_training: 'candidates' };

export function showMetrics(metrics, state, perSecond) {
  setValue('tile-epoch', format.count(metrics.epoch));
  const rate = perSecond === null ? '' : ` · ${perSecond.toFixed(0)}/s`;
  setText(at('tile-rate'), state === 'running' ? `${phases[metrics.phase] ?? metrics.phase}${rate}` : '\u00a0');
  setValue('tile-loss', format.loss(metrics.current_loss));
  setText(at('tile-val-loss'), `validation ${format.loss(metrics.val_loss)}`);
  setValue('tile-accuracy', format.percent(metrics.current_accuracy));
  setText(at('tile-val-accuracy'), `validation ${format.percent(metrics.val_accuracy)}`);
  setValue('tile-units', format.count(metrics.hidden_units));
}

export const showConnections = (connections) =>
  setText(at('tile-connections'), `${format.count(connections)} connection${connections === 1 ? '' : 's'}`);

export function showReads({ hits, misses, hit_rate: rate, get }) {
  const reads = hits + misses;
  setValue('tile-hits', reads > 0 ? format.percent(rate) : '–');
  setText(at('tile-reads'), `${format.brief(hits)} of ${format.brief(reads)} reads`);
  setValue('tile-latency', reads > 0 ? format.micros(get.p50_us) : '–');
  setText(at('tile-latency-more'), reads > 0 ? `p99 ${format.micros(get.p99_us)}` : '\u00a0');
}
