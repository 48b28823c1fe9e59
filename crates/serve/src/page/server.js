// Asking the server that this page came from, with a token where it wants one.

import { byId } from './dom.js';

const KEY = 'rewardanything-token';
let asking = null;

/** The token of this tab, or null. */
export const token = () => sessionStorage.getItem(KEY);

/** Why there is no answer: `kind` is a word, `message` a sentence. */
export class Refusal extends Error {
  constructor(status, kind, message) {
    super(message);
    this.status = status;
    this.kind = kind;
  }
}

/**
 * The text and the JSON of an answer.
 *
 * A record that says why there is no verdict is an answer too, whatever its status.
 */
export async function ask(path, body = null, signal = null) {
  for (;;) {
    const used = token();
    const headers = {};
    if (used) headers.authorization = `Bearer ${used}`;
    if (body !== null) headers['content-type'] = 'application/json';
    let answer;
    try {
      answer = await fetch(path, { method: body === null ? 'GET' : 'POST', headers, body, signal });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Refusal(0, 'unreachable', 'The server does not answer.');
    }
    if (answer.status === 401) {
      if (await enter(used)) continue;
      throw new Refusal(401, 'token', 'The server wants a token.');
    }
    const text = await answer.text();
    let json = null;
    try {
      json = JSON.parse(text);
    } catch {
      // Told below.
    }
    if (json && (answer.ok || 'scores' in json)) return { text, json };
    const why = json?.error;
    throw new Refusal(answer.status, why?.kind ?? 'status', why?.message ?? `The server answered ${answer.status}.`);
  }
}

/** Asks for a token, once for all calls that wait for one. True if there is another than `refused`. */
function enter(refused) {
  if (token() !== refused) return Promise.resolve(true);
  asking ??= new Promise((resolve) => {
    const door = byId('door');
    door.addEventListener(
      'close',
      () => {
        const given = byId('token').value.trim();
        byId('token').value = '';
        const entered = door.returnValue === 'enter' && given !== '';
        if (entered) sessionStorage.setItem(KEY, given);
        asking = null;
        resolve(entered);
      },
      { once: true },
    );
    door.returnValue = '';
    door.showModal();
  });
  return asking;
}
