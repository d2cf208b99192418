// The viewer's session: its settings, which the server keeps, and its token, which is asked for when it is needed and
// kept nowhere. The server makes a session where there is none, also where it has lost one together with Redis.
import { get, send } from './api.js';

const open = async () => (await get('/api/session')).value;

async function sendInSession(method, path, body) {
  const { csrf_token: token } = await open();
  return (await send(method, path, body, token)).value;
}

export const readSettings = async () => (await open()).settings;

export const writeSettings = (settings) => sendInSession('PUT', '/api/session', { settings });

export const command = (name) => sendInSession('POST', `/api/train/${name}`, {});
