'use strict';
// What pgqrs has to reach, as ratios within one run, and whether it did.

const { grouped, short } = require('../lib/figures');
const { find } = require('./peers');

const ratio = (ours, theirs) => (ours === undefined || theirs === undefined ? undefined : ours / theirs);
const figure = (parts, peer, size, phase, name) => find(parts, peer, size)?.[phase]?.[name];

const rate = (parts, peer, size, phase) => figure(parts, peer, size, phase, 'jobs_per_second');
const whole = (parts, peer) => ratio(rate(parts, 'pgqrs', 100, 'whole_life'), rate(parts, peer, 100, 'whole_life'));

// Of the plain queue the better of its two ways counts.
function threads(parts, ...peers) {
  const theirs = peers.map(peer => rate(parts, peer, 'threads', 'claim_finish')).filter(Number.isFinite);
  return ratio(rate(parts, 'pgqrs', 'threads', 'claim_finish'), theirs.length > 0 ? Math.max(...theirs) : undefined);
}

const idle = (parts, name) =>
  ratio(figure(parts, 'pgqrs', 'pickup', 'idle', name), figure(parts, 'pgqrs', 'pickup', 'idle', 'round_trip_us'));

const targets = [
  { what: 'whole life, batch 100, times graphile-worker', least: 3, value: parts => whole(parts, 'graphile') },
  { what: 'whole life, batch 100, times pg-boss', least: 10, value: parts => whole(parts, 'boss') },
  { what: 'whole life, batch 100, of bare INSERT and DELETE', least: 0.55, value: parts => whole(parts, 'bare') },
  { what: '8 threads, one job a call, times one claim and one delete statement per job (the faster of both plain queues)',
    least: 8, value: parts => threads(parts, 'plain', 'plain-unflushed') },
  { what: '8 threads, one job a call, times graphile-worker unbatched', least: 5,
    value: parts => threads(parts, 'graphile-single') },
  { what: 'enqueue with wake-ups on and nobody asleep, of the rate with them off', least: 0.95,
    value: parts => find(parts, 'pgqrs', 'wake')?.ratio },
  { what: 'pickup by an idle worker, p50, in round trips at the same pace', most: 3, value: parts => idle(parts, 'p50_us') },
  { what: 'pickup by an idle worker, p99, in round trips at the same pace', most: 10, value: parts => idle(parts, 'p99_us') },
  { what: 'bytes of log per job, whole life, batch 100', most: 450,
    value: parts => figure(parts, 'pgqrs', 100, 'whole_life', 'wal_bytes_per_job') },
  { what: 'microseconds of the client per job, whole life, batch 100', most: 3,
    value: parts => figure(parts, 'pgqrs', 100, 'whole_life', 'client_cpu_us_per_job') },
];

// By how much it is missed, in percent of the target.
function verdict({ least, most }, value) {
  if (least !== undefined ? value >= least : value <= most) return 'reached';
  const gap = least !== undefined ? 1 - value / least : value / most - 1;
  return `**missed** by ${grouped(Math.max(1, gap * 100))} %`;
}

function targetRows(parts) {
  return targets
    .map(target => ({ target, value: target.value(parts) }))
    .filter(({ value }) => value !== undefined && Number.isFinite(value))
    .map(({ target, value }) => [target.what,
      target.least !== undefined ? `at least ${target.least}` : `at most ${target.most}`, short(value), verdict(target, value)]);
}

module.exports = { targetRows };
