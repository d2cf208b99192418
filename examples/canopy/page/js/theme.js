// The style sheet's colours, for what is drawn by script; read again when the system changes between light and dark.

const names = ['panel', 'edge', 'text', 'quiet', 'grid', 'training', 'validation', 'unit', 'positive', 'negative', 'middle'];

const listeners = [];
let current = read();

function read() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

export const colours = () => current;

export const onTheme = (listener) => listeners.push(listener);

/** [red, green, blue] of "#rrggbb". */
export const channels = (hex) => [1, 3, 5].map((from) => Number.parseInt(hex.slice(from, from + 2), 16));

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  current = read();
  for (const listener of listeners) listener();
});
