// Jobs: what was handed in to be judged in the background, and how far it is.

import { byId, count, element, number } from './dom.js';
import { Refusal, ask } from './server.js';

const EVERY_MS = 2_000;

/** The view. It looks again while it is shown and something is not done. */
export class Jobs {
  constructor() {
    this.shown = false;
    this.timer = 0;
  }

  hide() {
    this.shown = false;
    clearTimeout(this.timer);
  }

  async show() {
    this.shown = true;
    clearTimeout(this.timer);
    let jobs;
    try {
      jobs = await listed();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      byId('jobs-note').textContent = error.message;
      if (error.status === 0) this.again();
      return;
    }
    const running = jobs.filter(({ state }) => state === 'running').length;
    byId('jobs-note').textContent =
      jobs.length === 0
        ? 'No jobs. POST /api/batch_request hands one in; GET /openapi.json says how.'
        : `${count(jobs.length, 'job')}, ${running === 0 ? 'none is' : `${number(running)} ${running === 1 ? 'is' : 'are'}`} running`;
    byId('job-table').hidden = jobs.length === 0;
    byId('job-table').tBodies[0].replaceChildren(...jobs.map(line));
    if (running > 0) this.again();
  }

  again() {
    if (this.shown) this.timer = setTimeout(() => this.show(), EVERY_MS);
  }
}

/** All jobs, the last first; of a server that keeps jobs, or in the form of the published package's. */
async function listed() {
  try {
    return (await ask('v1/jobs')).json.jobs.toReversed();
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 404) throw error;
  }
  const { json } = await ask('api/list_tasks');
  return Object.entries(json)
    .map(([id, job]) => ({
      id,
      state: job.complete ? 'done' : 'running',
      items: job.num_requests,
      judged: job.judged,
      failed: null,
      created: job.start_time,
    }))
    .toReversed();
}

function line({ id, key, state, items, judged, failed, created }) {
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, key ? `${key} (${id})` : id),
    element('td', {}, state),
    element(
      'td',
      {},
      element('progress', { max: items, value: judged, 'aria-label': 'judged' }),
      ` ${number(judged)} of ${number(items)}`,
    ),
    element('td', {}, failed === null ? '–' : number(failed)),
    element('td', {}, created),
  );
}
