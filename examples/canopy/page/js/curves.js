// One chart: a measure of the training over its epochs, for the training points and for the unseen ones.
import { colours, onTheme } from './theme.js';
import { soon } from './frames.js';
import { unitMarks } from './unit_marks.js';

const axis = (title, more) => ({
  type: 'linear',
  title: { display: true, text: title, font: { size: 11 }, padding: 2 },
  border: { display: false },
  ...more,
});

/** On a logarithmic axis: 0.1, 0.2, 0.5, 1, and so on, so that they do not crowd. */
const roundSteps = (value) => (['1', '2', '5'].includes(value.toExponential()[0]) ? String(value) : null);

function line(label, dash) {
  return { label, data: [], borderWidth: 1.75, borderDash: dash, pointRadius: 0, pointHoverRadius: 3, spanGaps: true };
}

export class Curve {
  /**
   * fields: names in CurveData.lines, training first; format: of a value in the tooltip; y: the y axis' options;
   * units(): what is to be marked, [{unit, epoch}]
   */
  constructor(canvas, { title, fields, format, y, units }) {
    this.canvas = canvas;
    this.title = title;
    this.fields = fields;
    this.format = format;
    this.units = units;
    this.chart = new window.Chart(canvas, {
      type: 'line',
      data: { datasets: [line('training', []), line('validation', [5, 3])] },
      options: {
        animation: false,
        parsing: false,
        normalized: true,
        responsive: true,
        maintainAspectRatio: false,
        interaction: { mode: 'index', axis: 'x', intersect: false },
        layout: { padding: { top: 14, right: 8 } },
        scales: {
          x: axis('epoch', { min: 0, ticks: { maxRotation: 0, autoSkipPadding: 24, includeBounds: false } }),
          y: axis(title, y),
        },
        plugins: { legend: { display: false }, tooltip: this.tooltip() },
      },
      plugins: [unitMarks(units)],
    });
    this.draw = soon(() => this.drawNow());
    this.paint();
    onTheme(() => {
      this.paint();
      this.drawNow();
    });
  }

  show(lines) {
    this.fields.forEach((field, i) => { this.chart.data.datasets[i].data = lines[field]; });
    this.draw();
  }

  setScale(type) {
    const { y } = this.chart.options.scales;
    y.type = type;
    y.min = type === 'linear' ? 0 : undefined;
    y.ticks.callback = type === 'linear' ? window.Chart.Ticks.formatters.numeric : roundSteps;
    this.draw();
  }

  drawNow() {
    const last = this.chart.data.datasets[0].data.at(-1)?.x ?? 0;
    this.chart.options.scales.x.max = Math.max(last, 10);
    this.chart.update('none');
    this.canvas.dataset.points = this.chart.data.datasets[0].data.length;
    this.canvas.dataset.epoch = last;
    const values = this.chart.data.datasets.map(({ label, data }) => `${label} ${this.format(data.at(-1)?.y)}`);
    this.canvas.setAttribute('aria-label', `${this.title} at epoch ${last}: ${values.join(', ')}`);
  }

  paint() {
    const colour = colours();
    const { datasets } = this.chart.data;
    [datasets[0].borderColor, datasets[1].borderColor] = [colour.training, colour.validation];
    for (const dataset of datasets) dataset.pointHoverBackgroundColor = dataset.borderColor;
    for (const scale of Object.values(this.chart.options.scales)) {
      scale.grid = { color: colour.grid, drawBorder: false, tickLength: 4 };
      scale.ticks.color = colour.quiet;
      scale.title.color = colour.quiet;
    }
    Object.assign(this.chart.options.plugins.tooltip, {
      backgroundColor: colour.panel,
      borderColor: colour.edge,
      titleColor: colour.text,
      bodyColor: colour.text,
      footerColor: colour.quiet,
    });
  }

  tooltip() {
    return {
      borderWidth: 1,
      padding: 8,
      boxWidth: 8,
      boxHeight: 2,
      footerFont: { weight: 'normal' },
      callbacks: {
        title: ([first]) => `Epoch ${first?.parsed.x ?? ''}`,
        label: ({ dataset, parsed }) => ` ${dataset.label} ${this.format(parsed.y)}`,
        footer: ([first]) => {
          const before = this.units().filter(({ epoch }) => epoch < (first?.parsed.x ?? 0));
          return `${before.length} hidden unit${before.length === 1 ? '' : 's'}`;
        },
      },
    };
  }
}

/** Before the first chart. */
export function prepareCharts() {
  if (!window.Chart) return false;
  window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  window.Chart.defaults.font.size = 11;
  return true;
}
