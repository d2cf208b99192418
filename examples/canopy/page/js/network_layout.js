// Where a cascade's nodes and connections are drawn. Inputs stand at the lower left, hidden units climb a diagonal in
// the order they were added, outputs stand at the upper right. What a unit sees comes from below it, and what the
// outputs see goes above: no line crosses the diagonal.

const margin = { left: 30, right: 34, top: 20, bottom: 18 };
const gap = 26; // px between two inputs, or two outputs

const spread = (nodes, x, first, step, places) =>
  nodes.forEach(({ id }, i) => places.set(id, { x, y: first + i * step }));

/** {places: id → {x, y}, radius} */
export function placesOf(nodes, width, height) {
  const of = (type) => nodes.filter((node) => node.type === type);
  const [inputs, hidden, outputs] = [of('input'), of('hidden'), of('output')];
  const places = new Map();
  const bottom = height - margin.bottom;
  spread(inputs, margin.left, bottom, -gap, places);
  spread(outputs, width - margin.right, margin.top, gap, places);

  const from = { x: margin.left + 24, y: bottom - gap * Math.max(inputs.length - 1, 0) };
  const to = { x: width - margin.right - 24, y: margin.top + gap * Math.max(outputs.length - 1, 0) };
  const step = { x: (to.x - from.x) / (hidden.length + 1), y: (to.y - from.y) / (hidden.length + 1) };
  hidden.forEach(({ id }, i) =>
    places.set(id, { x: from.x + (i + 1) * step.x, y: from.y + (i + 1) * step.y }));
  const radius = Math.max(4.5, Math.min(10, Math.hypot(step.x, step.y) * 0.36));
  return { places, radius };
}

const round = (value) => value.toFixed(1);

/** A curve that leaves to the right and arrives from below; towards an output, leaves upwards and arrives from the left. */
export function pathOf(from, to, toOutput) {
  const bend = toOutput ? { x: from.x, y: to.y } : { x: to.x, y: from.y };
  return `M${round(from.x)} ${round(from.y)}Q${round(bend.x)} ${round(bend.y)} ${round(to.x)} ${round(to.y)}`;
}

const strong = 5; // a weight that is worth a wide line, also where no other is larger

/** From 0 to 1: weights span some orders of magnitude. */
export function strengthOf(weight, largest) {
  return Math.log1p(Math.abs(weight)) / Math.log1p(Math.max(largest, strong));
}
