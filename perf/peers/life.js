'use strict';
// Jobs are enqueued, then claimed and finished.

const { phase, figures } = require('./phase');

async function enqueue(peer, part, jobs) {
  let next = 0;
  async function caller() {
    while (next < jobs) {
      const count = Math.min(part.batch, jobs - next);
      next += count;
      if (part.batch === 1) await peer.enqueueSingle();
      else await peer.enqueueBulk(count);
    }
  }
  await Promise.all(Array.from({ length: part.callers }, caller));
}

// Both phases, one after the other.
async function liveOnce(peer, part, jobs) {
  const first = await phase(peer, () => enqueue(peer, part, jobs));
  // As autovacuum would within a minute. Without it pg-boss cost two to three times as much.
  await peer.analyze();
  const second = await phase(peer, () => peer.drain(jobs));
  return { first, second };
}

async function measureLife(peer, part) {
  const { first, second } = await liveOnce(peer, part, part.jobs);
  return { enqueue: figures(part.jobs, [first]), claim_finish: figures(part.jobs, [second]),
    whole_life: figures(part.jobs, [first, second]) };
}

module.exports = { enqueue, liveOnce, measureLife };
