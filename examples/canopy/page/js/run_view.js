// What is shown of the run: the tiles, the state and the curves, from the stream and from the server's record.
import { at, setState, setText } from './dom.js';
import { announce, note } from './log.js';
import { changeText, Pace, stateOf, wordOf } from './run_state.js';
import { CurveData } from './curve_data.js';
import { showMetrics } from './tiles.js';

export class RunView {
  /** drawCurves(lines); changed('run' | 'units' | 'state') after each change of one */
  constructor(drawCurves, changed) {
    this.drawCurves = drawCurves;
    this.changed = changed;
    this.data = new CurveData();
    this.pace = new Pace();
    this.run = null;
    this.units = null;
    this.noted = 0; // units in the log
    this.watchedFrom = 0; // the epoch at which this page came
    this.read = false; // the record of what was before
    this.state = 'connecting';
    this.heardAt = -Infinity;
    this.newsAt = -Infinity;
    this.last = null;
  }

  /** told: metrics as the stream tells them; news: they are, and not only what /api/status still has */
  show(told, news) {
    this.heardAt = performance.now();
    if (news || this.run === null) this.newsAt = this.heardAt;
    // While Redis is away the status of a run may be older than what was streamed of it.
    const old = !news && told.is_running && told.run === this.run && told.epoch < this.last.epoch;
    const metrics = old ? this.last : told;
    this.last = metrics;
    const { epoch, run } = metrics;
    const begun = run !== this.run;
    if (begun) this.begin(run, epoch);
    if (metrics.current_loss !== null) this.addPoint(metrics);
    this.pace.add(epoch, this.heardAt);
    this.setState(stateOf(metrics), epoch, begun);
    showMetrics(metrics, this.state, this.pace.perSecond(), (this.heardAt - this.newsAt) / 1_000);
    this.setUnits(metrics.hidden_units, begun);
  }

  begin(run, epoch) {
    this.watchedFrom = this.run === null ? epoch : 0;
    this.run = run;
    this.units = null;
    this.noted = 0;
    this.read = false;
    this.data.clear();
    this.draw();
    setText(at('run'), run || '');
    this.changed('run');
    if (!run) return;
    if (this.watchedFrom <= 10) announce('A run begins', 'good');
  }

  addPoint({ epoch, current_loss: loss, current_accuracy: accuracy, val_loss, val_accuracy }) {
    if (this.data.add(epoch, { loss, accuracy, val_loss, val_accuracy })) this.draw();
  }

  setState(state, epoch, begun) {
    if (state === this.state) return;
    const text = begun ? null : changeText(this.state, state, epoch);
    if (text) announce(text, state === 'completed' ? 'good' : 'plain');
    this.state = state;
    setState(at('state'), state);
    setText(at('state'), wordOf(state));
    this.changed('state');
  }

  setUnits(units, begun) {
    if (units === this.units && !begun) return;
    this.units = units;
    this.changed('units');
  }

  /** units: [{unit, epoch}], of the run that is shown */
  noteUnits(units) {
    for (const { unit, epoch } of units.slice(this.noted)) {
      note(`Unit ${unit + 1} added at epoch ${epoch}`, 'plain', epoch < this.watchedFrom);
    }
    this.noted = units.length;
  }

  /** The server's record of a run; that of another one than is shown has come too late. */
  showHistory(run, history) {
    if (run === null || run !== this.run) return;
    this.read = true;
    this.data.take(history);
    this.draw();
    const newest = history.at(-1);
    if (!(newest?.epoch > this.last.epoch)) return;
    this.pace = new Pace(); // a jump is no pace
    this.show(this.asMetrics(newest), true);
  }

  /** A record as the stream would have told it. */
  asMetrics({ epoch, phase, metrics, network_topology: topology }) {
    return {
      ...this.last,
      epoch,
      phase,
      current_loss: metrics.loss,
      current_accuracy: metrics.accuracy,
      val_loss: metrics.val_loss,
      val_accuracy: metrics.val_accuracy,
      hidden_units: topology.hidden_units,
    };
  }

  /** What was missed while the connection was away. */
  showMissed({ run, history }) {
    if (run !== this.run) return;
    for (const { epoch, metrics } of history) this.data.add(epoch, metrics);
    this.draw();
  }

  draw() {
    // Who comes late is shown the whole run, not first its end.
    const empty = this.data.length === 0 || (this.watchedFrom > 10 && !this.read && this.data.length < 50);
    for (const panel of ['loss-panel', 'accuracy-panel']) {
      at(panel).classList.toggle('is-empty', empty);
      setText(at(panel).querySelector('.empty'), this.data.length === 0 ? 'Waiting for the first epoch' : 'Reading the record');
    }
    this.drawCurves(this.data.lines);
  }
}
