// The decision boundary over the two spirals, on a canvas: the field, the line where it is zero, the points.
import { at, setText } from './dom.js';
import { colours, onTheme } from './theme.js';
import { contourOf } from './contour.js';
import { Field } from './field.js';
import { onSize, soon } from './frames.js';

const margin = { left: 26, right: 8, top: 8, bottom: 22 };
const ticks = [-6, -3, 0, 3, 6];
const tau = 2 * Math.PI;

export class BoundaryDrawing {
  constructor(canvas, panel) {
    this.canvas = canvas;
    this.panel = panel;
    this.context = canvas.getContext('2d');
    this.small = document.createElement('canvas');
    this.field = null;
    this.points = [];
    this.pointer = null;
    this.draw = soon(() => this.drawNow());
    onSize(canvas, (width, height) => {
      [this.width, this.height] = [width, height];
      this.draw();
    });
    onTheme(() => this.drawNow());
    canvas.addEventListener('pointermove', ({ offsetX, offsetY }) => this.point([offsetX, offsetY]));
    canvas.addEventListener('pointerleave', () => this.point(null));
  }

  show(boundary) {
    this.field = boundary ? new Field(boundary) : null;
    this.segments = boundary ? contourOf(boundary) : [];
    this.draw();
  }

  showPoints(points) {
    this.points = points;
    this.draw();
  }

  point(pointer) {
    this.pointer = pointer;
    setText(at('boundary-foot'), this.caption());
  }

  drawNow() {
    this.panel.classList.toggle('is-empty', !this.field);
    if (!this.field || !this.width) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    this.measure();
    this.drawField();
    this.drawContour();
    this.drawAxes();
    this.drawPoints();
    this.canvas.dataset.hidden = this.field.hidden_units;
    setText(at('boundary-foot'), this.caption());
    this.canvas.setAttribute('aria-label', `The decision boundary over the two spirals, with ${this.field.hidden_units} hidden units`);
  }

  /** The plane is square, in the middle. */
  measure() {
    this.side = Math.max(10, Math.min(this.width - margin.left - margin.right, this.height - margin.top - margin.bottom));
    this.left = margin.left + (this.width - margin.left - margin.right - this.side) / 2;
    this.top = margin.top + (this.height - margin.top - margin.bottom - this.side) / 2;
  }

  toX(x) {
    return this.left + (this.field.columnOf(x) / (this.field.width - 1)) * this.side;
  }

  toY(y) {
    return this.top + (1 - this.field.rowOf(y) / (this.field.height - 1)) * this.side;
  }

  drawField() {
    Object.assign(this.small, { width: this.field.width, height: this.field.height });
    this.small.getContext('2d').putImageData(this.field.picture(), 0, 0);
    this.context.imageSmoothingQuality = 'high';
    // The outer grid points lie on the edge: half a pixel of the small picture is outside of it.
    const { width, height } = this.field;
    this.context.drawImage(this.small, 0.5, 0.5, width - 1, height - 1, this.left, this.top, this.side, this.side);
  }

  drawContour() {
    const { context, field } = this;
    const step = this.side / (field.width - 1);
    context.beginPath();
    for (const [x1, y1, x2, y2] of this.segments) {
      context.moveTo(this.left + x1 * step, this.top + this.side - y1 * step);
      context.lineTo(this.left + x2 * step, this.top + this.side - y2 * step);
    }
    context.strokeStyle = colours().text;
    context.lineWidth = 1.25;
    context.stroke();
  }

  drawAxes() {
    const { context } = this;
    const { edge, quiet } = colours();
    context.strokeStyle = edge;
    context.lineWidth = 1;
    context.strokeRect(this.left + 0.5, this.top + 0.5, this.side - 1, this.side - 1);
    context.fillStyle = quiet;
    context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    context.textAlign = 'center';
    context.textBaseline = 'top';
    for (const tick of ticks) context.fillText(String(tick).replace('-', '−'), this.toX(tick), this.top + this.side + 6);
    context.fillText('x', this.toX(4.5), this.top + this.side + 6);
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    for (const tick of ticks) context.fillText(String(tick).replace('-', '−'), this.left - 6, this.toY(tick));
    context.fillText('y', this.left - 6, this.toY(4.5));
  }

  /** Discs for the one spiral, diamonds for the other. */
  drawPoints() {
    const { context } = this;
    const { positive, negative, panel } = colours();
    const radius = Math.max(2.2, Math.min(4, this.side / 90));
    context.lineWidth = 1.25;
    for (const { x, y, label } of this.points) {
      const [cx, cy, colour] = [this.toX(x), this.toY(y), label ? positive : negative];
      context.beginPath();
      if (label) {
        context.arc(cx, cy, radius, 0, tau);
      } else {
        const reach = radius * 1.25;
        context.moveTo(cx, cy - reach);
        for (const [dx, dy] of [[reach, 0], [0, reach], [-reach, 0]]) context.lineTo(cx + dx, cy + dy);
        context.closePath();
      }
      context.fillStyle = colour;
      context.strokeStyle = panel;
      context.fill();
      context.stroke();
    }
  }

  caption() {
    if (!this.field) return '\u00a0';
    if (this.pointer) {
      const [x, y] = this.planeAt(this.pointer);
      if (Math.abs(x) <= 7 && Math.abs(y) <= 7) {
        return `x ${x.toFixed(1)}, y ${y.toFixed(1)}: answer ${this.field.answerAt(x, y).toFixed(2)}`;
      }
    }
    return 'spirals: ● 0.5, ◆ −0.5 · line: the answer is 0';
  }

  planeAt([px, py]) {
    const [[x1, x2], [y1, y2]] = [this.field.x_range, this.field.y_range];
    return [x1 + ((px - this.left) / this.side) * (x2 - x1), y2 - ((py - this.top) / this.side) * (y2 - y1)];
  }
}
