// Puts the page together: what the server tells goes to the parts that show it.
import { at } from './dom.js';
import { get } from './api.js';
import { announce } from './log.js';
import { asked, most } from './curve_data.js';
import { BoundaryDrawing } from './boundary.js';
import { showHealth, showServerAway, showStatistics } from './cache_panel.js';
import { Controls } from './controls.js';
import { Curve, prepareCharts } from './curves.js';
import * as format from './format.js';
import { Link } from './link.js';
import { NetworkDrawing } from './network.js';
import { openStream } from './stream.js';
import { readSettings, writeSettings } from './session.js';
import { Refresher } from './refresher.js';
import { RunView } from './run_view.js';
import { showConnections, showReads } from './tiles.js';
import { Sources } from './sources.js';
import { wordOf } from './run_state.js';

const curveNames = ['loss', 'accuracy'];
let units = []; // [{unit, epoch}] of the run that is shown

const sources = new Sources();
const controls = new Controls();
const network = new NetworkDrawing(at('network'), at('network-panel'));
const boundary = new BoundaryDrawing(at('boundary'), at('boundary-panel'));
const curves = prepareCharts() ? makeCurves() : [];
if (curves.length === 0) announce('Chart.js is missing on the server (Debian: libjs-chart.js)', 'bad');

const view = new RunView((lines) => curves.forEach((curve) => curve.show(lines)), viewChanged);
const link = new Link(linkChanged);

const status = new Refresher(async () => {
  const { value } = await get('/api/status');
  // The stream tells first. It tells nothing of a trainer that has gone, nor where it cannot be heard.
  if (performance.now() - view.heardAt > 1_500) view.show({ ...value, epoch: value.metrics_count }, false);
}, 2_000);

const statistics = new Refresher(async () => {
  const [{ value }, redis] = await Promise.all([
    get('/api/statistics'),
    get('/api/v1/redis/metrics').then((answer) => answer.value),
  ]);
  showStatistics(value, redis);
  showReads(value);
  setMode(value.backend.mode);
}, 1_000);

const history = new Refresher(async () => {
  const run = view.run;
  const { value, facts } = await get(`/api/metrics/history?points=${asked}`);
  view.showHistory(run, value.history);
  sources.answered(curveNames, facts);
}, 5_000);

const unitMarks = new Refresher(async () => {
  const { value } = await get('/api/network/units');
  units = value.run === view.run ? value.units : [];
  view.noteUnits(units);
  curves.forEach((curve) => curve.draw());
}, 5_000);

const pictures = new Refresher(async () => {
  const [topology, field] = await Promise.all([get('/api/network/topology'), get('/api/boundary')]);
  network.show(topology.value);
  boundary.show(field.value);
  showConnections(topology.value.total_connections);
  sources.answered(['network'], topology.facts);
  sources.answered(['boundary'], field.facts);
}, 2_000);

const hear = {
  metrics(data) {
    view.show(data, true);
    if (view.data.length > most) history.refresh();
  },
  history: (data) => view.showMissed(data),
  topology: () => pictures.refresh(),
  status(data) {
    setMode(data.mode);
    showHealth(data);
  },
  command: ({ command, status: how }) => {
    if (how !== 'done') announce(`The trainer could not ${command}`, 'bad');
  },
};

function makeCurves() {
  const options = { units: () => units };
  const share = { min: 0, max: 1, ticks: { stepSize: 0.2, callback: (value) => format.percent(value, 0) } };
  return [
    new Curve(at('loss'), {
      ...options, title: 'mean squared error', fields: ['loss', 'val_loss'], format: format.loss, y: { min: 0, ticks: {} },
    }),
    new Curve(at('accuracy'), {
      ...options, title: 'points learned', fields: ['accuracy', 'val_accuracy'], format: format.percent, y: share,
    }),
  ];
}

function viewChanged(what) {
  if (what === 'run') {
    units = [];
    history.refresh();
  } else if (what === 'units') {
    unitMarks.refresh();
  } else {
    controls.setState(view.state);
    sources.streams(curveNames, view.state === 'running');
    if (view.state !== 'running') pictures.refresh();
  }
}

function linkChanged(open) {
  sources.setLinked(open);
  controls.setLinked(open);
  if (!open) return showServerAway();
  const wanted = view.run === null ? [status, statistics] : [status, statistics, history, unitMarks, pictures];
  for (const refresher of wanted) refresher.refresh();
}

let mode = null;
function setMode(now) {
  if (now === mode) return;
  if (now === 'FALLBACK') announce('Redis is away: the cache answers from memory', 'warn');
  if (now === 'LIVE' && mode === 'FALLBACK') announce('Redis is back', 'good');
  mode = now;
  sources.setMode(now);
  pictures.refresh();
}

function setScale(logarithmic) {
  at('scale').setAttribute('aria-pressed', String(logarithmic));
  curves[0]?.setScale(logarithmic ? 'logarithmic' : 'linear');
}

at('scale').addEventListener('click', () => {
  const logarithmic = at('scale').getAttribute('aria-pressed') !== 'true';
  setScale(logarithmic);
  writeSettings({ loss_scale: logarithmic ? 'logarithmic' : 'linear' })
    .catch((error) => announce(`The setting is not kept: ${error.message}`, 'warn'));
});

setInterval(() => {
  const epoch = view.data.lastEpoch;
  const title = epoch > 0 ? `${wordOf(view.state)}, epoch ${format.count(epoch)} – Canopy` : 'Canopy';
  if (document.title !== title) document.title = title;
}, 1_000);

readSettings().then(({ loss_scale: scale }) => setScale(scale === 'logarithmic'), () => {});
get('/api/dataset').then(({ value }) => boundary.showPoints(value.points), () => {});
openStream((kind, data) => hear[kind](data), (state) => link.set(state));
