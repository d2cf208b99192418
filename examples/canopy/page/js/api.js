// Asks the server. An answer comes with what its headers say of the cache: {value, facts: {status, tier, age}}.

const patience = 8_000; // ms

/** No answer, then with status 0, or one that says no. */
export class RequestError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options) {
  const { response, value } = await fetchJson(path, options);
  if (!response.ok) throw new RequestError(value?.error ?? `${path}: ${response.status}`, response.status);
  return { value, facts: factsOf(response.headers) };
}

async function fetchJson(path, options) {
  try {
    const response = await fetch(path, { ...options, signal: AbortSignal.timeout(patience) });
    return { response, value: await response.json() };
  } catch (error) {
    throw new RequestError(`${path}: ${error.message}`, 0);
  }
}

function factsOf(headers) {
  const status = headers.get('X-Cache-Status');
  if (!status) return null;
  const age = headers.get('Age');
  return { status, tier: headers.get('X-Cache-Tier') ?? 'none', age: age === null ? null : Number(age) };
}

export const get = (path) => ask(path, {});

export const send = (method, path, body, token) =>
  ask(path, {
    method,
    headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': token },
    body: JSON.stringify(body),
  });
