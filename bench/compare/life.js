'use strict';
// Jobs are enqueued, then claimed and finished.

const { phase, costs } = require('./phase');

async function enqueue(peer, part, jobs) {
  let next = 0;
  if (peer.enqueueAll) return peer.enqueueAll(jobs);
  async function caller() {
    while (next < jobs) {
      const count = Math.min(part.batch, jobs - next);
      next += count;
      if (part.batch === 1) await peer.enqueueSingle();
      else await peer.enqueueBulk(count);
    }
  }
  await Promise.all(Array.from({ length: part.callers }, caller));
  return undefined;
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
  return {
    enqueue_per_second: part.jobs / first.seconds,
    finish_per_second: part.jobs / second.seconds,
    whole_life_per_second: part.jobs / (first.seconds + second.seconds),
    ...costs('', part.jobs, [first, second]),
    ...costs('enqueue_', part.jobs, [first]),
    ...costs('finish_', part.jobs, [second]),
  };
}

module.exports = { enqueue, liveOnce, measureLife };
