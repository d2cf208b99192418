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

/** What a run is at, or that its trainer cannot be heard: it may go on behind a Redis that is away. */
function activity({ phase }, state, perSecond, silence) {
  if (state !== 'running') return '\u00a0';
  if (silence > 3) return `no news for ${silence.toFixed(0)} s`;
  return `${phases[phase] ?? phase}${perSecond === null ? '' : ` · ${perSecond.toFixed(0)}/s`}`;
}

/** silence: seconds since there was news of the run */
export function showMetrics(metrics, state, perSecond, silence) {
  setValue('tile-epoch', format.count(metrics.epoch));
  setText(at('tile-rate'), activity(metrics, state, perSecond, silence));
  setValue('tile-loss', format.loss(metrics.current_loss));
  setText(at('tile-val-loss'), `validation ${format.loss(metrics.val_loss)}`);
  setValue('tile-accuracy', format.percent(metrics.current_accuracy));
  setText(at('tile-val-accuracy'), `validation ${format.percent(metrics.val_accuracy)}`);
  setValue('tile-units', format.count(metrics.hidden_units));
}

/** None: the network is not known. */
export const showConnections = (connections) =>
  setText(at('tile-connections'), connections > 0 ? `${format.count(connections)} connections` : '\u00a0');

export function showReads({ hits, misses, hit_rate: rate, get }) {
  const reads = hits + misses;
  setValue('tile-hits', reads > 0 ? format.percent(rate) : '–');
  setText(at('tile-reads'), `${format.brief(hits)} of ${format.brief(reads)} reads`);
  setValue('tile-latency', reads > 0 ? format.micros(get.p50_us) : '–');
  setText(at('tile-latency-more'), reads > 0 ? `p99 ${format.micros(get.p99_us)}` : '\u00a0');
}
