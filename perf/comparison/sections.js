'use strict';
// The sections of docs/benchmarks.md that hold figures. A section without any is left out.

const { grouped, lines, short } = require('../lib/figures');
const { find, peers } = require('./peers');
const { targetRows } = require('./targets');

// What stands in parentheses.
const ratios = { rate: (theirs, ours) => ours / theirs, cost: (theirs, ours) => theirs / ours, none: null };

// A table of peers by columns. `size` chooses the part, `figure` (a function of the part) the number, `title` stands
// above; `ratio` is one of the above.
function comparison(parts, columns) {
  const value = (peer, { size, figure }) => {
    const part = find(parts, peer, size);
    return part === undefined ? undefined : figure(part);
  };
  const cell = (peer, column) => {
    const theirs = value(peer, column);
    const { format = grouped } = column;
    if (!Number.isFinite(theirs)) return '';
    const ours = value('pgqrs', column);
    const ratio = ratios[column.ratio ?? 'none'];
    // A time may be below 0, and then nothing is so many times as long.
    if (peer === 'pgqrs' || !ratio || !(ours > 0 && theirs > 0)) return format(theirs);
    return `${format(theirs)} (${short(ratio(theirs, ours))})`;
  };
  const rows = peers
    .map(({ key, name }) => [name, ...columns.map(column => cell(key, column))])
    .filter(cells => cells.slice(1).some(text => text !== ''));
  return lines(['', ...columns.map(column => column.title)], rows);
}

const lifeBatches = parts => [...new Set(parts.filter(part => part.kind === 'life').map(part => part.batch))]
  .sort((a, b) => a - b);
// One column for each batch, of one figure of a phase.
const byBatch = (parts, phase, name, ratio, format) => lifeBatches(parts).map(size =>
  ({ figure: part => part[phase][name], size, ratio, format, title: `batch ${size}` }));

// The three costs of a job, of a phase of a part.
const costColumns = (size, phase, named = '') => [
  { figure: part => part[phase].wal_bytes_per_job, size, ratio: 'cost', title: `${named}log, bytes` },
  { figure: part => part[phase].server_cpu_us_per_job, size, ratio: 'cost', format: short, title: `${named}server, µs` },
  { figure: part => part[phase].client_cpu_us_per_job, size, ratio: 'cost', format: short, title: `${named}client, µs` },
];

const has = (parts, kind) => parts.some(part => part.kind === kind);

function targets(parts) {
  const rows = targetRows(parts);
  if (rows.length === 0) return '';
  return `## Targets

What pgqrs set out to reach, as far as this run can tell.

${lines(['', 'target', 'this run', ''], rows)}`;
}

function wholeLife(parts) {
  if (!has(parts, 'life')) return '';
  return `## Whole life

Jobs a second that were enqueued and then claimed and finished: jobs divided by the sum of both times. In parentheses how
many times faster pgqrs is; below 1 it is slower.

${comparison(parts, byBatch(parts, 'whole_life', 'jobs_per_second', 'rate'))}

![Whole life by size of batch](benchmarks/whole-life.svg)`;
}

function enqueue(parts) {
  if (!has(parts, 'life')) return '';
  const rates = byBatch(parts, 'enqueue', 'jobs_per_second', 'rate').map(column =>
    ({ ...column, title: column.size === 1 ? 'single' : `bulk of ${column.size}` }));
  return `## Enqueue

Single is eight callers that each wait for their own job, one a call; bulk is four callers with so many a call. Jobs a second:

${comparison(parts, rates)}

The cost of it, for one job:

${comparison(parts, [...costColumns(1, 'enqueue', 'single: '), ...costColumns(100, 'enqueue', 'bulk of 100: ')])}`;
}

function finish(parts) {
  if (!has(parts, 'life')) return '';
  return `## Claim and finish

A backlog is worked off; eight workers with batch 1, else four (where a peer has its own idea of both, see below).

${comparison(parts, byBatch(parts, 'claim_finish', 'jobs_per_second', 'rate'))}`;
}

function threads(parts) {
  if (!has(parts, 'threads')) return '';
  return `## Eight at a time, one job a call

One process with eight threads (with Node.js: eight jobs at a time) whose handlers take one job, do nothing and return. How
fast they work off a backlog, how fast eight callers enqueue one job a call, and the costs of a job's whole life.

${comparison(parts, [
    { figure: part => part.claim_finish.jobs_per_second, size: 'threads', ratio: 'rate', title: 'worked off, jobs/s' },
    { figure: part => part.enqueue.jobs_per_second, size: 'threads', ratio: 'rate', title: 'enqueued, jobs/s' },
    ...costColumns('threads', 'whole_life'),
  ])}`;
}

function pickupTables(parts, phase) {
  const column = (name, title, ratio) => ({ figure: part => part[phase][name], size: 'pickup', ratio, title });
  const trips = (name, title) =>
    ({ figure: part => part[phase][name] / part[phase].round_trip_us, size: 'pickup', format: short, title });
  const times = comparison(parts, [
    column('p50_us', 'p50, µs', 'cost'), column('p99_us', 'p99, µs', 'cost'), column('max_us', 'longest, µs', 'cost'),
    column('round_trip_us', 'round trip, µs'), trips('p50_us', 'p50 in round trips'), trips('p99_us', 'p99 in round trips'),
    column('tight_round_trip_us', 'round trip without pauses, µs'),
  ]);
  const rest = comparison(parts, [
    column('from_call_p50_us', 'from the call, p50, µs', 'cost'), column('from_call_p99_us', 'p99, µs', 'cost'),
    column('jobs_per_second', 'jobs/s'),
    ...costColumns('pickup', phase),
  ]);
  return `${times}\n\nFrom the enqueue's call instead of its return, and what a job costs:\n\n${rest}`;
}

function pickup(parts) {
  if (!has(parts, 'pickup')) return '';
  return `## Pickup

How soon a handler starts on a job: the time from the enqueue's return, in microseconds. Below 0 it starts before. One process
that enqueues and works, eight workers, each peer as it recommends for a low latency (see below). A round trip is the median
of \`SELECT 1\` (for Redis \`PING\`) from the same process in the same phase, at the same pace, on a connection that does nothing
else: an idle machine answers later than a busy one. That without pauses is the median of
200 in a row just before, as a loop would show it.

Idle: one job after the other, 50 to 130 ms apart.

${pickupTables(parts, 'idle')}

Half load: eight callers, at random moments, together half as many a second as the peer's whole life reached with batch 1
just before.

${pickupTables(parts, 'half')}

![Pickup](benchmarks/pickup.svg)`;
}

function costs(parts) {
  if (!has(parts, 'life')) return '';
  return `## Cost of a job

For the whole life. In parentheses how many times as much as pgqrs; below 1 it costs less. Bytes of log are write-ahead
log, for BullMQ the append-only file. Server is all processes of the database; client is the one process that enqueues
and works.

Bytes of log:

${comparison(parts, byBatch(parts, 'whole_life', 'wal_bytes_per_job', 'cost'))}

Processor time of the server, microseconds:

${comparison(parts, byBatch(parts, 'whole_life', 'server_cpu_us_per_job', 'cost', short))}

Processor time of the client, microseconds:

${comparison(parts, byBatch(parts, 'whole_life', 'client_cpu_us_per_job', 'cost', short))}`;
}

const sections = parts => [targets, wholeLife, enqueue, finish, threads, pickup, costs].map(section => section(parts));

module.exports = { sections };
