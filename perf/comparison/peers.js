'use strict';
// How the page calls the peers, what it says of each (no figure is comparable without that), and their colours.

const peers = [
  { key: 'pgqrs', name: 'pgqrs', colour: '#1f6feb', client: 'C, libpgqrs',
    about: 'Leases with fencing tokens and retry counts. A batch is claimed in one call and deleted in another, as by ' +
      '`pgqrs bench`.' },
  { key: 'bare', name: 'bare INSERT and DELETE', colour: '#8c959f', client: 'C, libpq',
    about: 'No queue: the yardstick of `pgqrs bench` inserts rows and deletes them by ranges of ids that a counter hands out. Nobody ' +
      'looks for work and nothing survives a crash of its worker. A lower bound of the cost.' },
  { key: 'plain', name: 'plain SKIP LOCKED', colour: '#24292f', client: 'C, libpq',
    about: 'One `UPDATE` over `FOR UPDATE SKIP LOCKED` to claim, one `DELETE` to finish, written as well as we could: ' +
      '`ctid = ANY (ARRAY(...))`, no index but the primary key, prepared, in binary, a thread and a connection for each ' +
      'worker. No fencing, retries, delays, priorities or queues. For pickup each enqueue notifies; one connection ' +
      'listens and wakes the workers.' },
  { key: 'plain-unflushed', name: 'plain, claim not flushed', colour: '#57606a', client: 'C, libpq',
    about: 'The same, but the claim does not wait for the disk, as that of pgqrs does not.' },
  { key: 'pgq', name: 'PgQ', colour: '#8250df', client: 'Node.js, pg',
    about: 'A log with one consumer, which reads all between two ticks at once: no claim, lease, retry count or state ' +
      'for one job, workers cannot share a batch, and a job is seen at the next tick at the earliest. The column ' +
      '"batch" is that of the enqueue; batches read are as large as the ticks make them. Events are removed later, by ' +
      'TRUNCATE, outside the clock. For pickup it ticks and looks every 5 ms, far more often than by default.' },
  { key: 'graphile', name: 'graphile-worker', colour: '#1a7f37', client: 'Node.js, pg',
    about: 'The local queue and gathered completion, with the settings that the page "Performance" of its documentation ' +
      'gives (local queue of 500, 24 jobs at a time); `addJob`, from batch 10 on `addJobs`.' },
  { key: 'graphile-single', name: 'graphile-worker, unbatched', colour: '#4ac26b', client: 'Node.js, pg',
    about: 'Its ordinary way: each job is claimed and completed by a statement of its own, eight at a time. Its workers ' +
      'are woken by NOTIFY, which is the default.' },
  { key: 'boss', name: 'pg-boss', colour: '#bc4c00', client: 'Node.js, pg',
    about: '`send` or `insert`, `fetch` with a batch size, `complete`, in a queue with a table of its own. `work()` waits ' +
      'between fetches, so it is not used but for pickup, where eight of it are woken by NOTIFY (`notify`, ' +
      '`useListenNotify`). A completed job stays in the table, by its default.' },
  { key: 'bullmq', name: 'BullMQ on Redis', colour: '#cf222e', client: 'Node.js, ioredis',
    about: '`add` or `addBulk`, four `Worker`s with concurrency 25 in one process, faster in a trial than one with 100; ' +
      'for eight at a time and for pickup one with 8. A finished job is removed. Redis flushes its append-only file ' +
      'before it answers (`appendfsync always`), which is as durable as PostgreSQL; but commands that arrive together ' +
      'share a flush, and a claim is flushed, too.' },
];

// `size` is a batch, "threads" or "pickup".
const find = (parts, peer, size) => parts.find(part => part.name === `${peer}/${size}`);

module.exports = { peers, find };
