// Short ways to the document. Text from the server is put in as text, never as HTML.

export const at = (id) => document.getElementById(id);

/** Writes only what has changed, so that a screen that stands still costs nothing. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setState(element, state) {
  if (element.dataset.state !== state) element.dataset.state = state;
}

/** create('p', { class: 'quiet' }, 'text', child, …) */
export function create(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  element.append(...children);
  return element;
}

export function createSvg(name, attributes = {}) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  return element;
}
