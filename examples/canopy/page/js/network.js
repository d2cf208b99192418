// The network as a drawing. Elements are kept from one drawing to the next: what does not change costs nothing.
import { at, createSvg, setText } from './dom.js';
import { onSize, soon } from './frames.js';
import { count, weight as weightText } from './format.js';
import { pathOf, placesOf, strengthOf } from './network_layout.js';

const nameOf = (id) => {
  const [type, number] = id.split('_');
  if (type === 'input') return ['x', 'y'][Number(number)] ?? `input ${Number(number) + 1}`;
  return type === 'hidden' ? `unit ${Number(number) + 1}` : 'output';
};

const shortName = (id, type) => (type === 'hidden' ? String(Number(id.split('_')[1]) + 1) : nameOf(id));

function change(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
}

export class NetworkDrawing {
  constructor(svg, panel) {
    this.svg = svg;
    this.panel = panel;
    this.edges = new Map(); // "from>to" → path
    this.nodes = new Map(); // id → group
    this.edgeLayer = svg.appendChild(createSvg('g'));
    this.nodeLayer = svg.appendChild(createSvg('g'));
    this.topology = null;
    this.chosen = null;
    this.draw = soon(() => this.drawNow());
    onSize(svg, (width, height) => {
      [this.width, this.height] = [width, height];
      this.draw();
    });
    svg.addEventListener('pointerover', (event) => this.choose(event.target.closest('.node')?.dataset.id ?? null));
    svg.addEventListener('pointerleave', () => this.choose(null));
  }

  show(topology) {
    this.topology = topology;
    this.draw();
  }

  choose(id) {
    if (id === this.chosen) return;
    this.chosen = id;
    this.draw();
  }

  drawNow() {
    if (!this.topology || !this.width) return;
    const { nodes, connections, hidden_units: hidden } = this.topology;
    this.panel.classList.toggle('is-empty', nodes.length === 0);
    if (!nodes.some(({ id }) => id === this.chosen)) this.chosen = null;
    const { places, radius } = placesOf(nodes, this.width, this.height);
    change(this.svg, { viewBox: `0 0 ${this.width} ${this.height}` });
    this.svg.classList.toggle('is-chosen', this.chosen !== null);
    this.drawEdges(connections, places, new Set(nodes.filter(({ type }) => type === 'output').map(({ id }) => id)));
    this.drawNodes(nodes, places, radius, `hidden_${hidden - 1}`);
    this.svg.dataset.hidden = hidden;
    change(this.svg, { 'aria-label': `The network: ${hidden} hidden units, ${connections.length} connections` });
    setText(at('network-foot'), this.caption());
  }

  drawEdges(connections, places, outputs) {
    const largest = connections.reduce((most, { weight }) => Math.max(most, Math.abs(weight)), 0);
    const left = new Set(this.edges.keys());
    for (const { from, to, weight } of connections) {
      const key = `${from}>${to}`;
      const strength = strengthOf(weight, largest);
      left.delete(key);
      if (!this.edges.has(key)) this.edges.set(key, this.edgeLayer.appendChild(createSvg('path')));
      change(this.edges.get(key), {
        d: pathOf(places.get(from), places.get(to), outputs.has(to)),
        class: `edge${weight < 0 ? ' negative' : ''}${from === this.chosen || to === this.chosen ? ' chosen' : ''}`,
        'stroke-width': (0.6 + 2.6 * strength ** 2).toFixed(2),
        'stroke-opacity': (0.26 + 0.64 * strength ** 1.5).toFixed(2),
      });
    }
    this.forget(this.edges, left);
  }

  drawNodes(nodes, places, radius, newest) {
    const left = new Set(this.nodes.keys());
    for (const { id, type } of nodes) {
      left.delete(id);
      if (!this.nodes.has(id)) this.nodes.set(id, this.nodeLayer.appendChild(this.node(id, type)));
      const group = this.nodes.get(id);
      const { x, y } = places.get(id);
      change(group, {
        class: `node ${type}${id === newest ? ' newest' : ''}`,
        transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
      });
      change(group.firstChild, { r: (type === 'hidden' ? radius : 7).toFixed(1) });
      change(group.lastChild, { visibility: type === 'hidden' && radius < 7 ? 'hidden' : 'visible' });
    }
    this.forget(this.nodes, left);
  }

  node(id, type) {
    const group = createSvg('g', { 'data-id': id });
    const beside = { input: { x: -22, y: 4 }, hidden: { x: 0, y: 0.5 }, output: { x: 20, y: -10, 'text-anchor': 'end' } };
    const text = createSvg('text', beside[type]);
    text.textContent = shortName(id, type);
    group.append(createSvg('circle'), text);
    return group;
  }

  forget(kept, keys) {
    for (const key of keys) {
      kept.get(key).remove();
      kept.delete(key);
    }
  }

  caption() {
    const { connections, hidden_units: hidden, input_units: inputs, output_units: outputs } = this.topology;
    if (connections.length === 0) return '\u00a0';
    if (this.chosen === null) {
      return `${inputs} inputs, ${hidden} hidden, ${outputs} output · ${count(connections.length)} connections, wider: stronger`;
    }
    const own = connections.filter(({ from, to }) => from === this.chosen || to === this.chosen);
    const sees = own.filter(({ to }) => to === this.chosen).length;
    const [best] = own.toSorted((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
    const strongest = best ? ` · strongest ${nameOf(best.from)} → ${nameOf(best.to)}: ${weightText(best.weight)}` : '';
    return `${nameOf(this.chosen)}: sees ${sees}, seen by ${own.length - sees}${strongest}`;
  }
}
