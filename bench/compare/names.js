'use strict';
// How the page calls the peers, and what it says of each: no figure is comparable without that.

const peers = [
  { key: 'pgqrs', name: 'pgqrs', client: 'C, libpgqrs',
    about: 'Leases with fencing tokens and retry counts. `pgqrs bench` claims a batch in one call and deletes it in another.' },
  { key: 'bare', name: 'bare INSERT and DELETE', client: 'C, libpq',
    about: 'No queue: `pgqrs bench` inserts rows and deletes them by ranges of ids that a counter hands out. Nobody ' +
      'looks for work and nothing survives a crash of its worker. A lower bound of the cost.' },
  { key: 'plain', name: 'plain SKIP LOCKED', client: 'C, pgbench',
    about: 'One `UPDATE` over `FOR UPDATE SKIP LOCKED` to claim, one `DELETE` to finish, written as well as we could: ' +
      '`= ANY (ARRAY(...))`, no index but the primary key, prepared. No fencing, retries, delays, priorities or queues. A ' +
      'batch enqueues by one payload and `generate_series`, so fewer bytes reach the server than from the others.' },
  { key: 'pgq', name: 'PgQ', client: 'Node.js, pg',
    about: 'A log with one consumer, which reads all between two ticks at once: no claim, lease, retry count or state ' +
      'for one job, workers cannot share a batch, and a job is seen at the next tick at the earliest. The column ' +
      '"batch" is that of the enqueue; batches read are as large as the ticks make them. Events are removed later, by ' +
      'TRUNCATE, outside the clock.' },
  { key: 'graphile', name: 'graphile-worker', client: 'Node.js, pg',
    about: 'Batch 1 is its ordinary way. Otherwise `addJobs`, the local queue and gathered completion, with the ' +
      'settings that the page "Performance" of its documentation gives (local queue of 500, 24 jobs at a time).' },
  { key: 'boss', name: 'pg-boss', client: 'Node.js, pg',
    about: '`send` or `insert`, `fetch` with a batch size, `complete`, in a queue with a table of its own. `work()` polls ' +
      'at most every half second unless told to go on, so it is not used. A completed job stays in the table, by its default.' },
  { key: 'bullmq', name: 'BullMQ on Redis', client: 'Node.js, ioredis',
    about: '`add` or `addBulk`, four `Worker`s with concurrency 25 in one process, faster in a trial than one with 100; ' +
      'a finished job is removed. Redis flushes its append-only file before it answers, the durability that PostgreSQL has.' },
];

module.exports = { peers, nameOf: key => peers.find(peer => peer.key === key).name };
