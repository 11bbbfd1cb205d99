'use strict';
// Ours and the bare statements, by `pgqrs bench`. Answers like part.js, one entry a peer.
//
// From its report: of each half (itself and `bare`) enqueue_per_second, claim_finish_per_second, whole_life_per_second,
// wal_bytes_per_job, server_cpu_seconds, client_cpu_seconds; where it has them, the objects `enqueue` and `claim_finish`
// with the last three for that phase alone. Of a run with --pickup, `pickup.idle` and `pickup.half`, see moments(). Of one
// with --wake-ups, `wake_ups`: on_per_second, off_per_second, and `ratio`, of the first to the second.

const path = require('node:path');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');

const run = promisify(execFile);
const command = path.join(__dirname, '..', '..', 'build', 'pgqrs');

function benchArguments(part) {
  if (part.kind === 'threads') return ['bench', '--threads', part.workers, '--jobs', part.jobs];
  if (part.kind === 'pickup') return ['bench', '--pickup', '--threads', part.workers, '--jobs', part.jobs];
  if (part.kind === 'wake') return ['bench', '--wake-ups', '--producers', part.callers, '--batch', 1, '--jobs', part.jobs];
  return ['bench', '--jobs', part.jobs, '--batch', part.batch, '--producers', part.callers, '--workers', part.workers];
}

// The options of `pgqrs bench` that its help names.
async function options() {
  const { stdout } = await run(command, ['bench', '--help']);
  return new Set(stdout.match(/--[a-z-]+/g));
}

function costs(prefix, half, jobs) {
  if (half === undefined) return {};
  return {
    [`${prefix}log_bytes_per_job`]: half.wal_bytes_per_job,
    [`${prefix}server_cpu_us_per_job`]: (half.server_cpu_seconds / jobs) * 1e6,
    [`${prefix}client_cpu_us_per_job`]: (half.client_cpu_seconds / jobs) * 1e6,
  };
}

// The two halves of its report have the same fields.
function translate(half, part) {
  return {
    enqueue_per_second: half.enqueue_per_second,
    finish_per_second: half.claim_finish_per_second,
    whole_life_per_second: half.whole_life_per_second,
    ...costs('', half, part.jobs),
    ...costs('enqueue_', half.enqueue, part.jobs),
    ...costs('finish_', half.claim_finish, part.jobs),
  };
}

function moments({ jobs, wal_bytes_per_job, server_cpu_seconds, client_cpu_seconds, ...times }) {
  const half = { wal_bytes_per_job, server_cpu_seconds, client_cpu_seconds };
  return { jobs, ...times, ...(client_cpu_seconds === undefined ? {} : costs('', half, jobs)) };
}

async function runOurs(part, environment) {
  const { PGHOST, PGUSER, PGDATABASE } = environment;
  const env = { ...environment, PGQRS_DSN: `host=${PGHOST} user=${PGUSER} dbname=${PGDATABASE}` };
  await run(command, ['install'], { env });
  const { stdout } = await run(command, benchArguments(part).map(String), { env });
  const report = JSON.parse(stdout);
  if (!report.complete) throw new Error(`pgqrs bench lost or doubled messages: ${stdout}`);
  const settings = `pgqrs ${benchArguments(part).join(' ')}`;
  if (part.kind === 'wake') return { pgqrs: { settings, ...report.wake_ups } };
  if (part.kind === 'pickup')
    return { pgqrs: { settings, idle: moments(report.pickup.idle), half: moments(report.pickup.half) } };
  return {
    pgqrs: { settings, ...translate(report, part) },
    ...(report.bare === undefined || part.kind !== 'life' ? {} : {
      bare: { settings: 'the yardstick of the same run of pgqrs bench', ...translate(report.bare, part) } }),
  };
}

module.exports = { runOurs, options };
