'use strict';
// Measures all parts, round after round. Called by perf/compare, which starts the servers.
//
// A part during which other programs had more than `quiet` of the processors, a share from 0 to 1, is measured again.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const { Client } = require('pg');
const driver = require('../lib/driver');
const { median } = require('../lib/figures');
const { describeMachine, describeServer } = require('../lib/machine');
const { machineCpu, withOthers, now } = require('../lib/usage');
const wanted = require('../package.json').dependencies;
const { parts, sizeOf, nameOf, warmUpOf } = require('./plan');
const { quietRounds, summarise } = require('./rounds');

const run = promisify(execFile);
const sqlFolder = path.join(__dirname, '..', 'sql');
const servers = [process.env.PERF_SERVER_PID, process.env.PERF_REDIS_PID].map(Number);
const inC = ['pgqrs', 'plain', 'plain-unflushed'];
// For all waiting and repeating of a run together.
const patienceSeconds = 600;
const mostAttempts = 4;
let waitedSeconds = 0;

// A whole number of batches for each caller and worker.
function scaled(part, scale) {
  const step = part.batch * Math.max(part.callers, part.workers);
  const jobs = Math.max(1, Math.round((part.jobs * scale) / step)) * step;
  if (part.kind !== 'pickup') return { ...part, jobs };
  return { ...part, jobs, idle: Math.max(10, Math.round(part.idle * scale)), seconds: part.seconds * scale };
}

function choose(pattern, scale) {
  const chosen = parts.filter(part => pattern.test(nameOf(part))).map(part => scaled(part, scale));
  if (chosen.length === 0) throw new Error(`no part matches "${pattern.source}"; see perf/comparison/plan.js`);
  return chosen;
}

// Each part has a database of its own; dropping it makes a checkpoint, and another is made before the clock starts.
async function withDatabase(work) {
  const admin = new Client({ database: 'postgres' });
  await admin.connect();
  try {
    await admin.query('CREATE DATABASE compare');
    await admin.query('CHECKPOINT');
    return await work('compare');
  } finally {
    await admin.query('DROP DATABASE IF EXISTS compare WITH (FORCE)');
    await admin.end();
  }
}

// By the name of the peer: perf-driver measures the bare statements beside ours.
async function measureInC({ peer, kind, jobs, batch, callers, workers, ...part }, database) {
  if (kind === 'wake') {
    const { settings, report: { ratio, on_per_second, off_per_second } } =
      await driver.drive('wake-ups', { jobs, batch, callers, workers }, database);
    return { [peer]: { settings, ratio, on_per_second, off_per_second } };
  }
  // That of `pgqrs bench`: of its batches none, before a pickup its own.
  const warm = kind === 'pickup' || (kind === 'life' && peer === 'pgqrs') ? {} : { 'warm-up': warmUpOf({ ...part, jobs, batch, workers }) };
  const { settings, report } = await driver.drive(kind, { way: peer, jobs, batch, callers, workers, ...warm }, database);
  if (kind === 'pickup') return { [peer]: { settings, ...report.pickup } };
  const bare = report.bare && { bare: { settings: 'in turn with the part of pgqrs', ...report.bare } };
  return { [peer]: { settings, ...report[peer] }, ...bare };
}

function measurePart(part) {
  return withDatabase(async database => {
    if (inC.includes(part.peer)) return measureInC(part, database);
    const program = path.join(__dirname, '..', 'peers', 'part.js');
    const { stdout } = await run(process.execPath, [program, JSON.stringify(part)],
      { env: { ...process.env, PGDATABASE: database } });
    return { [part.peer]: JSON.parse(stdout) };
  });
}

// Waits, but not for ever, until other programs leave the processors alone for a second.
async function waitForQuiet(limit) {
  for (; waitedSeconds < patienceSeconds; waitedSeconds++) {
    const before = machineCpu();
    await new Promise(resolve => setTimeout(resolve, 1000));
    if ((machineCpu() - before) / os.cpus().length <= limit) return;
  }
}

// Chooses by what others did, never by the outcome.
async function runQuietly(part, limit) {
  let best;
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    if (limit < 1) await waitForQuiet(limit);
    const started = now();
    const { outcome, others } = await withOthers(servers, () => measurePart(part));
    if (attempt > 0) waitedSeconds += now() - started;
    if (best === undefined || others < best.others) best = { outcome, others };
    if (best.others <= limit || waitedSeconds >= patienceSeconds) break;
  }
  for (const figures of Object.values(best.outcome)) figures.others_cpu_share = best.others;
  return best.outcome;
}

function describe(figures) {
  if (figures.ratio !== undefined) return `wake-ups on: ${figures.ratio.toFixed(3)} of the rate with them off`;
  if (figures.idle === undefined) return `${Math.round(figures.whole_life.jobs_per_second).toString().padStart(7)} jobs/s`;
  const one = ({ p50_us, p99_us }) => `${Math.round(p50_us)}/${Math.round(p99_us)} us`;
  return `pickup p50/p99 idle ${one(figures.idle)}, half load ${one(figures.half)}`;
}

function note(round, part, outcome) {
  for (const [peer, figures] of Object.entries(outcome))
    console.error(`round ${round}  ${`${peer}/${sizeOf(part)}`.padEnd(23)} ${describe(figures)}, ` +
      `others had ${Math.round(figures.others_cpu_share * 100)} % of the processors`);
}

async function measureRounds(chosen, rounds, quiet) {
  const results = new Map();
  for (let round = 1; round <= rounds; round++) {
    // Every other round backwards, so that nobody always comes first on a fresh disk.
    for (const part of round % 2 === 1 ? chosen : chosen.toReversed()) {
      const outcome = await runQuietly(part, quiet);
      note(round, part, outcome);
      for (const [peer, { settings, ...figures }] of Object.entries(outcome)) {
        const name = nameOf({ ...part, peer });
        if (!results.has(name)) results.set(name, { ...part, name, peer, settings, rounds: [] });
        results.get(name).rounds.push(figures);
      }
    }
  }
  return [...results.values()];
}

async function peerVersions() {
  const version = async (program, pattern) => pattern.exec((await run(program, ['--version'])).stdout)[1];
  const client = new Client();
  await client.connect();
  const pgq = (await client.query("SELECT default_version FROM pg_available_extensions WHERE name = 'pgq'")).rows[0];
  await client.end();
  return { PgQ: pgq.default_version, 'redis-server': await version('redis-server', /v=([0-9.]+)/),
    'Node.js': process.version.slice(1), ...wanted };
}

async function main() {
  const { only, ...numbers } = driver.options();
  const [rounds, scale, quiet] = [Number(numbers.rounds), Number(numbers.scale), Number(numbers.quiet) / 100];
  const chosen = choose(new RegExp(only), scale);
  const started = new Date();
  const machine = describeMachine(process.env.PGHOST);
  const server = describeServer();
  const results = await measureRounds(chosen, rounds, quiet);
  const shares = results.flatMap(result => quietRounds(result.rounds, quiet)).map(round => round.others_cpu_share);
  const statements = ['create', 'enqueue', 'claim', 'claim_unflushed', 'finish', 'enqueue_notify'];
  driver.write({
    others_cpu_share: { median: median(shares), highest: Math.max(...shares) },
    date: started.toISOString().slice(0, 10),
    seconds: Math.round((Date.now() - started) / 1000),
    rounds, scale, quiet, only, machine,
    settings: server.settings,
    versions: { ...server.versions, ...await peerVersions() },
    redis_settings: process.env.PERF_REDIS_SETTINGS,
    plain_statements: Object.fromEntries(statements.map(name =>
      [name, fs.readFileSync(path.join(sqlFolder, `plain_${name}.sql`), 'utf8')])),
    parts: results.map(result => summarise(result, quiet)),
  });
}

main().catch(error => {
  console.error(`compare: ${error.stderr || error.stack || error}`);
  process.exit(1);
});
