'use strict';
// What is measured, as data: one line a part. Counts are chosen so that a part takes a few seconds.
//
//   life      `jobs` are enqueued, then claimed and finished, in batches. Batch 1 is one job a call.
//   threads   the same with one job a call, by eight of whatever the peer has at once in one process: threads of C with a
//             handler each, jobs of Node.js. What counts is how fast a backlog is worked off by handlers that do nothing.
//   pickup    how soon an idle worker has a job: `idle` jobs one by one; then `seconds` at half of the rate that batch 1
//             reaches, which `jobs` jobs find out. Eight workers, and what the peer recommends for a low latency.
//   wake      ours only: enqueue with wake-ups on and nobody asleep, beside the same with wake-ups off.
//
// `callers` enqueue at the same time, `workers` claim and finish; the same for every peer.

const single = { batch: 1, callers: 8, workers: 8 };
const bulk = batch => ({ batch, callers: 4, workers: 4 });
const life = (peer, jobs, size) => ({ peer, kind: 'life', jobs, ...size });
const threads = (peer, jobs) => ({ peer, kind: 'threads', jobs, ...single });
const pickup = (peer, jobs) => ({ peer, kind: 'pickup', jobs, idle: 120, seconds: 5, ...single });

const parts = [
  life('pgqrs', 20000, single),
  life('pgqrs', 60000, bulk(10)),
  life('pgqrs', 200000, bulk(100)),
  life('pgqrs', 200000, bulk(1000)),
  life('plain', 16000, single),
  life('plain', 40000, bulk(10)),
  life('plain', 100000, bulk(100)),
  life('plain', 100000, bulk(1000)),
  life('pgq', 20000, single),
  life('pgq', 60000, bulk(10)),
  life('pgq', 100000, bulk(100)),
  life('pgq', 100000, bulk(1000)),
  life('graphile-single', 10000, single),
  life('graphile', 10000, single),
  life('graphile', 20000, bulk(10)),
  life('graphile', 80000, bulk(100)),
  life('graphile', 80000, bulk(1000)),
  life('boss', 6000, single),
  life('boss', 12000, bulk(10)),
  life('boss', 60000, bulk(100)),
  life('boss', 60000, bulk(1000)),
  life('bullmq', 12000, single),
  life('bullmq', 20000, bulk(10)),
  life('bullmq', 30000, bulk(100)),
  life('bullmq', 30000, bulk(1000)),

  threads('pgqrs', 200000),
  threads('plain', 24000),
  threads('plain-unflushed', 24000),
  threads('graphile-single', 10000),
  threads('boss', 6000),
  threads('bullmq', 16000),

  pickup('pgqrs', 8000),
  pickup('plain', 8000),
  pickup('pgq', 8000),
  pickup('graphile-single', 3000),
  pickup('boss', 2000),
  pickup('bullmq', 8000),

  { peer: 'pgqrs', kind: 'wake', jobs: 60000, ...single },
];

// What --only chooses by, and how the report finds a part: "graphile/100", "plain/threads", "boss/pickup".
const sizeOf = part => (part.kind === 'life' ? String(part.batch) : part.kind);
const nameOf = part => `${part.peer}/${sizeOf(part)}`;

// Jobs that come first, unmeasured: for the just-in-time compiler and the server's caches.
function warmUpOf({ batch, workers, jobs }) {
  const step = batch * workers;
  return Math.max(step, Math.floor(Math.min(2000, jobs / 4) / step) * step);
}

module.exports = { parts, sizeOf, nameOf, warmUpOf };
