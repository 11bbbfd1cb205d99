'use strict';
// The machine, the versions and the server's settings: what a reader needs to judge the figures.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { command } = require('./driver');
const { lines } = require('./figures');

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

function psql(statement) {
  return text('psql', '-XAtF', '\t', '-d', 'postgres', '-c', statement).split('\n').map(line => line.split('\t'));
}

function describeServer() {
  const rows = psql('SELECT name, current_setting(name) FROM pg_settings WHERE name IN ' +
    `(${settingNames.map(name => `'${name}'`).join(', ')}) ORDER BY name`);
  return {
    versions: {
      pgqrs: text(command, '--version').split('\n')[0].replace(/^pgqrs /, ''),
      PostgreSQL: psql('SHOW server_version')[0][0],
    },
    settings: Object.fromEntries(rows),
  };
}

// The section of the page; `more` are facts between the machine's and the versions.
function machineSection({ machine, versions, settings }, more = []) {
  const facts = [
    ['processors', `${machine.processors} (${machine.processor}, ${machine.architecture})`],
    ['memory', `${machine.memory_gib} GiB`],
    ['system', machine.kernel],
    ['file system', machine.file_system],
    ['a flushed write of 8 kB', `${machine.flush_8k_ms.toFixed(2)} ms (median of 200)`],
    ['load before the run', machine.load_before.toFixed(2)],
    ...more,
    ...Object.entries(versions),
  ];
  const shown = Object.entries(settings).map(([name, value]) => `\`${name} = ${value}\``).join(', ');
  return `## Machine, versions, settings

${lines(['', ''], facts, true)}

Settings of PostgreSQL, all of them defaults: ${shown}. Client and server share the machine, and talk through a unix socket.`;
}

module.exports = { describeMachine, describeServer, machineSection };
