'use strict';
// The machine, the versions and the server's settings: what a reader needs to judge the figures.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { Client } = require('pg');
const wanted = require('./package.json').dependencies;

const settingNames = ['fsync', 'synchronous_commit', 'full_page_writes', 'wal_level', 'wal_sync_method', 'wal_compression',
  'shared_buffers', 'max_wal_size', 'checkpoint_timeout', 'autovacuum', 'max_connections'];

function text(program, ...options) {
  return execFileSync(program, options, { encoding: 'utf8' }).trim();
}

// Milliseconds of a write of 8 kB that is on the disk when it returns: the median of 200.
function flushMs(folder) {
  const file = path.join(folder, 'flush-test');
  const descriptor = fs.openSync(file, 'w');
  const block = Buffer.alloc(8192, 1);
  const times = [];
  for (let i = 0; i < 200; i++) {
    const started = process.hrtime.bigint();
    fs.writeSync(descriptor, block, 0, block.length, (i % 100) * block.length);
    fs.fdatasyncSync(descriptor);
    times.push(Number(process.hrtime.bigint() - started) / 1e6);
  }
  fs.closeSync(descriptor);
  fs.unlinkSync(file);
  return times.sort((a, b) => a - b)[100];
}

function describeMachine(folder) {
  return {
    processors: os.cpus().length,
    processor: os.cpus()[0].model.trim(),
    architecture: os.arch(),
    memory_gib: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
    file_system: text('stat', '--file-system', '--format=%T', folder),
    flush_8k_ms: flushMs(folder),
    load_before: os.loadavg()[0],
  };
}

async function describeServer() {
  const client = new Client({ database: 'postgres' });
  await client.connect();
  const rows = (await client.query('SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY ($1)',
    [settingNames])).rows;
  const version = (await client.query('SHOW server_version')).rows[0].server_version;
  const pgq = (await client.query("SELECT default_version FROM pg_available_extensions WHERE name = 'pgq'")).rows[0];
  await client.end();
  const versions = {
    pgqrs: text(path.join(__dirname, '..', '..', 'build', 'pgqrs'), '--version').split('\n')[0].replace(/^pgqrs /, ''),
    PostgreSQL: version,
    PgQ: pgq.default_version,
    'redis-server': /v=([0-9.]+)/.exec(text('redis-server', '--version'))[1],
    'Node.js': process.version.slice(1),
    ...wanted,
  };
  return { versions, settings: Object.fromEntries(rows.map(row => [row.name, row.value])) };
}

module.exports = { describeMachine, describeServer };
