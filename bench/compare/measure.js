'use strict';
// Measures all parts, round after round, and prints one JSON object. Called by `run`, which starts the servers.
//
//   node measure.js ROUNDS PATTERN SCALE QUIET
//
// PATTERN chooses parts by their names, see plan.js; SCALE multiplies the counts. A part during which other programs had
// more than QUIET of the processors, a share from 0 to 1, is measured again; see `run`.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const { Client } = require('pg');
const { describeMachine, describeServer } = require('./machine');
const { runOurs, options } = require('./ours');
const { parts, sizeOf, nameOf } = require('./plan');
const { median, quietRounds, summarise } = require('./summary');
const { serverCpu, clientCpu, machineCpu } = require('./usage');

const run = promisify(execFile);
const statements = ['create', 'enqueue', 'claim', 'claim_unflushed', 'finish', 'enqueue_notify'];
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

// What this `pgqrs bench` cannot do yet is left out, not measured as something else.
function choose(pattern, scale, offered) {
  const named = parts.filter(part => pattern.test(nameOf(part)));
  if (named.length === 0) throw new Error(`no part matches "${pattern.source}"; see plan.js`);
  const missing = named.filter(part => part.needs !== undefined && !offered.has(part.needs));
  for (const part of missing) console.error(`left out: ${nameOf(part)}, pgqrs bench has no ${part.needs}`);
  const chosen = named.filter(part => !missing.includes(part)).map(part => scaled(part, scale));
  if (chosen.length === 0) throw new Error('nothing is left to measure');
  return { chosen, missing: missing.map(nameOf) };
}

// Each part has a database of its own; dropping it makes a checkpoint, and another is made before the clock starts.
async function withDatabase(work) {
  const admin = new Client({ database: 'postgres' });
  await admin.connect();
  try {
    await admin.query('CREATE DATABASE compare');
    await admin.query('CHECKPOINT');
    return await work({ ...process.env, PGDATABASE: 'compare' });
  } finally {
    await admin.query('DROP DATABASE IF EXISTS compare WITH (FORCE)');
    await admin.end();
  }
}

function measurePart(part) {
  return withDatabase(async env => {
    if (part.peer === 'pgqrs') return runOurs(part, env);
    const { stdout } = await run(process.execPath, [path.join(__dirname, 'part.js'), JSON.stringify(part)], { env });
    return { [part.peer]: JSON.parse(stdout) };
  });
}

const now = () => Number(process.hrtime.bigint()) / 1e9;

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
    const outcome = await runPart(part);
    const share = Object.values(outcome)[0].others_cpu_share;
    if (attempt > 0) waitedSeconds += now() - started;
    if (best === undefined || share < best.share) best = { outcome, share };
    if (best.share <= limit || waitedSeconds >= patienceSeconds) break;
  }
  return best.outcome;
}

// Adds the share of the processors that went to programs which have nothing to do with this.
async function runPart(part) {
  const ours = () => clientCpu() + serverCpu(Number(process.env.COMPARE_POSTGRES_PID)) +
    serverCpu(Number(process.env.COMPARE_REDIS_PID));
  const before = { machine: machineCpu(), ours: ours(), time: now() };
  const outcome = await measurePart(part);
  const available = (now() - before.time) * os.cpus().length;
  const others = Math.max(0, machineCpu() - before.machine - (ours() - before.ours)) / available;
  for (const figures of Object.values(outcome)) figures.others_cpu_share = others;
  return outcome;
}

function describe(figures) {
  if (figures.ratio !== undefined) return `wake-ups on: ${figures.ratio.toFixed(3)} of the rate with them off`;
  if (figures.idle === undefined) return `${Math.round(figures.whole_life_per_second).toString().padStart(7)} jobs/s`;
  const one = ({ p50_us, p99_us }) => `${Math.round(p50_us)}/${Math.round(p99_us)} us`;
  return `pickup p50/p99 idle ${one(figures.idle)}, half load ${one(figures.half)}`;
}

function note(round, part, outcome) {
  for (const [peer, figures] of Object.entries(outcome))
    console.error(`round ${round}  ${`${peer}/${sizeOf(part)}`.padEnd(23)} ${describe(figures)}, ` +
      `others had ${Math.round(figures.others_cpu_share * 100)} % of the processors`);
}

async function main() {
  const [rounds, scale, quiet] = [process.argv[2], process.argv[4], process.argv[5]].map(Number);
  const pattern = new RegExp(process.argv[3]);
  const { chosen, missing } = choose(pattern, scale, await options());
  const started = new Date();
  const results = new Map();
  const machine = describeMachine(process.env.COMPARE_FOLDER);
  const server = await describeServer();

  for (let round = 1; round <= rounds; round++) {
    // Every other round backwards, so that nobody always comes first on a fresh disk.
    for (const part of round % 2 === 1 ? chosen : chosen.toReversed()) {
      const outcome = await runQuietly(part, quiet);
      note(round, part, outcome);
      for (const [peer, { settings, ...figures }] of Object.entries(outcome)) {
        const key = nameOf({ ...part, peer });
        if (!results.has(key)) results.set(key, { ...part, name: key, peer, settings, rounds: [] });
        results.get(key).rounds.push(figures);
      }
    }
  }
  const counted = [...results.values()].flatMap(result => quietRounds(result.rounds, quiet));
  const shares = counted.map(round => round.others_cpu_share);
  const report = {
    others_cpu_share: { median: median(shares), highest: Math.max(...shares) },
    date: started.toISOString().slice(0, 10),
    seconds: Math.round((Date.now() - started) / 1000),
    rounds,
    scale,
    quiet,
    only: process.argv[3],
    missing,
    machine,
    ...server,
    redis_settings: process.env.COMPARE_REDIS_SETTINGS,
    plain_statements: Object.fromEntries(statements.map(name =>
      [name, fs.readFileSync(path.join(__dirname, 'plain', `${name}.sql`), 'utf8')])),
    parts: [...results.values()].map(result => summarise(result, quiet)),
  };
  console.log(JSON.stringify(report, null, 2));
}

main().catch(error => {
  console.error(`compare: ${error.stderr || error.stack || error}`);
  process.exit(1);
});
