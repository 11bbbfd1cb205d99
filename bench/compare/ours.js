'use strict';
// Ours and the bare statements, by `pgqrs bench`, which measures one and then the other. Answers like part.js.

const path = require('node:path');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');

const run = promisify(execFile);
const command = path.join(__dirname, '..', '..', 'build', 'pgqrs');

function benchArguments(part) {
  return ['bench', '--jobs', part.jobs, '--batch', part.batch, '--producers', part.callers, '--workers', part.workers];
}

// The two halves of its report have the same fields.
function translate(half, part) {
  return {
    enqueue_per_second: half.enqueue_per_second,
    finish_per_second: half.claim_finish_per_second,
    whole_life_per_second: half.whole_life_per_second,
    log_bytes_per_job: half.wal_bytes_per_job,
    server_cpu_us_per_job: (half.server_cpu_seconds / part.jobs) * 1e6,
    client_cpu_us_per_job: (half.client_cpu_seconds / part.jobs) * 1e6,
  };
}

async function runOurs(part, environment) {
  const { PGHOST, PGUSER, PGDATABASE } = environment;
  const env = { ...environment, PGQRS_DSN: `host=${PGHOST} user=${PGUSER} dbname=${PGDATABASE}` };
  await run(command, ['install'], { env });
  const { stdout } = await run(command, benchArguments(part).map(String), { env });
  const report = JSON.parse(stdout);
  if (!report.complete) throw new Error(`pgqrs bench lost or doubled messages: ${stdout}`);
  return {
    pgqrs: { settings: `pgqrs ${benchArguments(part).join(' ')}`, ...translate(report, part) },
    bare: { settings: 'the yardstick of the same run of pgqrs bench', ...translate(report.bare, part) },
  };
}

module.exports = { runOurs };
