// Numbers as people read them. What is not a number is a dash.

const none = '–';
const whole = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

export const count = (value) => (isNumber(value) ? whole.format(value) : none);

export const brief = (value) => (isNumber(value) ? (value < 10_000 ? whole : compact).format(value) : none);

export const loss = (value) => {
  if (!isNumber(value)) return none;
  return value !== 0 && value < 0.001 ? value.toExponential(2) : value.toFixed(4);
};

export const percent = (share, digits = 1) => (isNumber(share) ? `${(share * 100).toFixed(digits)} %` : none);

export const weight = (value) =>
  isNumber(value) ? value.toFixed(Math.abs(value) < 10 ? 2 : 1).replace('-', '−') : none;

/** Microseconds, in the unit that leaves few digits. Zero: nothing was measured. */
export const micros = (value) => {
  if (!isNumber(value) || value === 0) return none;
  if (value < 1_000) return `${value.toFixed(value < 10 ? 1 : 0)} µs`;
  return `${(value / 1_000).toFixed(value < 10_000 ? 1 : 0)} ms`;
};

export const millis = (value) => (isNumber(value) ? micros(value * 1_000) : none);

export const bytes = (value) => {
  if (!isNumber(value)) return none;
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let at = 0;
  let left = value;
  while (left >= 1_000 && at < units.length - 1) {
    left /= 1_024;
    at += 1;
  }
  return `${at === 0 || left >= 100 ? left.toFixed(0) : left.toFixed(1)} ${units[at]}`;
};

export const duration = (seconds) => {
  if (!isNumber(seconds)) return none;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`;
};
